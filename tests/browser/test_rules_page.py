"""Rules in the browser, over a whole gateway: written wrongly, rightly, tried on the history, in force."""

import time
from pathlib import Path

import pytest
from gateways import RunningGateway, write_config
from playwright.sync_api import Browser, Page, expect

from gateway.history.duckdb_store import DuckDbHistory
from gateway.pipeline import EMPTY
from gateway.ports import Notice
from rules.batch import BatchBuilder
from rules.symbols import DeviceId, Symbols
from rules.times import DAY_MS, MINUTE_MS

pytestmark = [pytest.mark.browser, pytest.mark.server]

PATIENCE = 60_000
PACK = """\
pack: own
rules:
  - id: server_warm
    fault: cpu.overheating
    title: The server is warm
    for_devices: {class: server}
    when: cpu.temperature > 95
    hold: 10m
    severity: major
    source: our own
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway with a pack of its own, and three servers in its history: at 99, 85 and 60 °C for a day."""
    folder = tmp_path_factory.mktemp("rules")
    began = int(time.time() * 1000) - 2 * DAY_MS
    symbols = Symbols()
    (folder / "data").mkdir()
    history = DuckDbHistory(folder / "data" / "history.duckdb")
    for name in ("srv-99", "srv-85", "srv-60"):
        number = symbols.devices.intern(DeviceId("acme", "server", name))
        history.append(symbols, EMPTY, [Notice("facts", 0, number, began, {"model": "R740"})])
    builder = BatchBuilder(symbols)
    for at in range(began, began + DAY_MS, 5 * MINUTE_MS):
        for device, value in enumerate((99.0, 85.0, 60.0)):
            builder.add(device, at, at, {"cpu.temperature": value})
    history.append(symbols, builder.build(), [])
    history.close()
    (folder / "packs").mkdir()
    (folder / "packs" / "own.yaml").write_text(PACK)
    config = write_config(folder, "embedded", f'[rules]\npacks = ["builtin", "{folder}/packs"]\n')
    running = RunningGateway(config, folder / "data")
    running.start()
    try:
        yield running.wait_ready()
    finally:
        running.terminate()


@pytest.fixture
def page(chromium: Browser, gateway: RunningGateway):
    context = chromium.new_context(base_url=gateway.url, viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    context.close()


def opened(page: Page, path: str) -> Page:
    expect.set_options(timeout=PATIENCE)
    page.goto(path)
    expect(page.locator(".pill.good")).to_have_text("Listening")
    page.wait_for_function("window.did_handshake === true")
    return page


def write(page: Page, text: str) -> None:
    """Replace what stands in the editor, as somebody who pastes does."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_the_list_says_where_a_rule_stands_over_the_fleet(page):
    opened(page, "/rules?find=server_warm")
    row = page.locator("tr", has_text="server_warm")
    expect(row).to_contain_text("Servers: suspected when")
    expect(row.locator("td").nth(2)).to_have_text("2")  # quiet
    expect(row.locator("td").nth(4)).to_have_text("1")  # suspected
    expect(row.locator("td").nth(8)).to_have_text("1")  # orders
    row.locator("a.row-link").click()
    expect(page.locator(".rule-words")).to_contain_text("for 10 minutes")


def test_a_rule_is_written_wrongly_then_tried_and_put_in_force(page, gateway):
    opened(page, "/packs/own.yaml")
    expect(page.locator(".checks")).to_contain_text("Nothing is wrong with it.")
    write(page, PACK.replace("cpu.temperature", "cpu.temperatur").rstrip("\n"))
    problem = page.locator(".problem")
    expect(problem).to_contain_text("Line 7")
    expect(problem).to_contain_text("cpu.temperature")  # what was meant
    expect(page.locator(".wrong-line")).to_have_text("    when: cpu.temperatur > 95")
    expect(page.get_by_role("button", name="Put in force", exact=True)).to_be_disabled()

    write(page, PACK.replace("> 95", "> 80").rstrip("\n"))
    expect(page.locator(".checks")).to_contain_text("Nothing is wrong with it.")
    page.get_by_role("button", name="Put in force", exact=True).click()
    expect(page.locator(".warning")).to_be_visible()  # it was not tried yet
    page.get_by_role("button", name="Try it on the last 30 days").click()
    sides = page.locator(".backtest-result .sheet").first
    expect(sides.locator("tr", has_text="owners contacted")).to_be_visible()
    expect(sides.locator("tr", has_text="orders").first.locator("td")).to_have_text(["orders", "1", "2"])
    expect(page.locator(".backtest-result tr", has_text="only with this text")).to_contain_text("srv-85")
    expect(page.locator(".warning")).to_be_hidden()

    page.get_by_role("button", name="Put in force", exact=True).click()
    expect(page.locator(".answer.good")).to_contain_text("1 changed")
    written = Path(gateway.config.parent / "packs" / "own.yaml").read_text()
    assert "cpu.temperature > 80" in written
    (rule,) = [one for one in gateway.items("rules") if one["id"] == "server_warm"]
    assert rule["when"] == "cpu.temperature > 80"
