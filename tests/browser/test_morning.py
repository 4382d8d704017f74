"""An engineer's morning at a real gateway: a fault appears, is understood, probed, confirmed and mended."""

import json
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest
from browser.conftest import Watched
from gateways import PATIENCE, Device, gateway, now_ms
from playwright.sync_api import expect
from receivers import Receiver
from servers import wait_until
from standardwebhooks.webhooks import Webhook

pytestmark = [pytest.mark.browser, pytest.mark.server]

NAME = "acme/server/srv-7"
SECRET = "whsec_" + "A" * 32

#: Suspects a fan, and leaves the word to an engineer.
PACK = """
pack: morning
rules:
  - id: fan_stands_still
    fault: fan.stopped
    for_devices: {class: server, each: fan}
    when: fan.rpm < 100
    confirm: {any_of: [{engineer: true}]}
    severity: major
    title: A fan stands still
    source: the maker's handbook
"""

REGISTRY = {
    "owners": """owner,name,contact,language
o1,Uhrwerk AG,,de
""",
    "sites": """site,address,country,postal_code,time_zone
s1,"Lindenweg 3, 34117 Kassel",DE,34117,Europe/Berlin
""",
    "devices": """tenant,class,device,model,serial,owner,site,bought
acme,server,srv-7,R740,S-7,o1,s1,2026-03-01
""",
    "parts": """part,title,kind,models,price,currency
FAN-7,Fan 60 mm,fan,*,39.00,EUR
""",
}


@pytest.fixture
def morning(tmp_path):
    """A gateway with a target that takes webhooks, and a server that has been well so far."""
    with ExitStack() as stack:
        folder = tmp_path / "gateway"
        registry = folder / "data" / "registry"
        registry.mkdir(parents=True)
        for name, text in REGISTRY.items():
            (registry / f"{name}.csv").write_text(text.replace("\\\n", "\n"), encoding="utf-8")
        (tmp_path / "morning.yaml").write_text(PACK, encoding="utf-8")
        receiver = stack.enter_context(Receiver())
        settings = (
            f'[rules]\npacks = ["{tmp_path / "morning.yaml"}"]\n'
            f'[[dispatch]]\nname = "crm"\nkind = "webhook"\nurl = "{receiver.url}"\n'
            f'secret = "{SECRET}"\nallow_private = true\n'
        )
        running = stack.enter_context(gateway(folder, "embedded", settings))
        broker = f"mqtt://127.0.0.1:{(running.data / 'broker' / 'port').read_text()}"
        device = stack.enter_context(Device(broker, NAME, answer=lambda _: ("failed", {"rpm": 0})))
        device.measure(now_ms(), {"fan.rpm@3": 4200.0, "fan.rpm@4": 4150.0, "cpu.temperature": 48.0})
        yield running, device, receiver


def test_from_the_first_suspicion_to_the_technician_s_answer(morning, chromium):
    running, device, receiver = morning
    context = chromium.new_context(base_url=running.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    watched = Watched(running.url)
    watched.watch(page)

    # The queue stands open; nothing is wrong. Then a fan stops.
    page.goto("/cases")
    page.wait_for_function("window.did_handshake === true")
    expect(page.get_by_text("No case is open")).to_be_visible()
    device.measure(now_ms(), {"fan.rpm@3": 12.0, "cpu.temperature": 71.0})
    row = page.locator("tbody tr", has_text="srv-7")
    expect(row).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    # What is wrong, in one sentence and one picture.
    expect(page.get_by_role("heading", level=1)).to_contain_text("fan")
    expect(page.locator("#main")).to_contain_text("srv-7")
    expect(page.locator("figure.chart canvas").first).to_be_visible()

    # A self test, asked for here, run on the device.
    page.get_by_role("button", name="Fan test").click()
    assert device.wait_command()["action"] == "fan.test"
    expect(page.locator(".probe .chip")).to_have_text("failed")

    # Confirmed: an order opens, and what it lacks is filled in.
    page.get_by_role("button", name="Confirm…").click()
    page.locator("dialog[open]").get_by_role("button", name="Confirm").click()
    order_link = page.locator("#main a[href^='/orders/']").first
    expect(order_link).to_be_visible()
    order_link.click()
    gap = page.locator(".gap[data-field='customer.contact']")
    gap.locator("input").fill("+49 561 123456")
    gap.get_by_role("button", name="Fill in").click()
    expect(gap).to_have_count(0)

    # It has left, first as it was opened, then with what was filled in.
    order_id = page.url.rpartition("/")[2].partition("?")[0]
    wait_until(lambda: len(receiver.requests) >= 2, seconds=PATIENCE, what="two events at the target")
    opened, updated = (request.document for request in receiver.requests[:2])
    assert opened["type"] == "com.forewarn.order.opened"
    assert updated["type"] == "com.forewarn.order.updated"
    assert updated["data"]["customer"]["contact"] == "+49 561 123456"
    assert updated["data"]["order_id"] == order_id
    expect(page.locator("#main")).to_contain_text("delivered")

    # The repairer's system answers, and the page that stands open shows what was found.
    answer(running.url, {"order_id": order_id, "state": "acknowledged"})
    expect(page.locator(".title .chip")).to_have_text("acknowledged")
    answer(
        running.url,
        {"order_id": order_id, "outcome": "repaired", "note": "bearing dry", "parts_used": ["FAN-7"]},
    )
    expect(page.locator(".title .chip")).to_have_text("closed")
    expect(page.locator(".changes li").first).to_contain_text("bearing dry")
    expect(page.locator(".changes li").first).to_contain_text("FAN-7")
    context.close()
    assert watched.strangers == []
    assert watched.complaints == []


def answer(url, document):
    """Send what a repairer's system says, signed as the target's secret has it."""
    body, identity, now = json.dumps(document), f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(identity, now, body),
        "content-type": "application/json",
    }
    told = httpx.post(f"{url}/api/v1/answers/crm", content=body, headers=headers, timeout=PATIENCE)
    assert told.is_success, told.text
