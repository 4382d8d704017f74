"""The figures of the fleet as docs/fleet.md defines them, over a real ledger; lists of orders, devices."""

import csv
import io
from contextlib import ExitStack

import pytest
from browser.console_seed import Told, order_document
from browser.site import open_site
from httpx import ASGITransport, AsyncClient

from diagnostics.case import CaseState, OrderStanding
from diagnostics.decision import Reason
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.registry import DeviceEntry, Registry, SiteEntry
from gateway.access.principal import Principal, Role
from gateway.api.fleet import Ask, Fleet
from gateway.listing import DeviceFilter, OrderFilter
from gateway.ports import DeviceRecord, LedgerWrite
from rules.symbols import DeviceId
from rules.times import DAY_MS, MINUTE_MS

ONE, TWO, THEIRS = (DeviceId(*name.split("/")) for name in ("acme/pc/a", "acme/pc/b", "nord/pc/c"))


class World:
    """A ledger whose cases are told in days before now."""

    def __init__(self, site):
        self.site, self.now, self.told = site, site.clock.now(), 0
        records = [
            DeviceRecord(device, {"model": model, "firmware": "1.0"}, True, self.now)
            for device, model in ((ONE, "X1"), (TWO, "X1"), (THEIRS, "Y"))
        ]
        site.ledger.commit(LedgerWrite(devices=records))

    def case(self, device, days_ago, *, component="", rule="r", after=10 * MINUTE_MS, then=None, flaps=False):
        """Let a case begin; it is ordered after a while, or `then` what it comes to."""
        self.told += 1
        onset = self.now - int(days_ago * DAY_MS)
        told = Told(
            device, component, fault="fan.failed", title="t", rule=rule, severity="major", onset=onset
        )
        told.case.case_id = f"C-{self.told}"
        told.write.events.clear()
        if flaps:
            told.said(onset, "note", Reason.FLAPPING, "it flaps")
        if then is not None:
            told.case.state = then
        else:
            told.step("confirmed", onset + after, Reason.CONFIRMED)
            told.case.order_id = f"SO-{self.told}"
            told.write.orders.append(order_document(told.case, told.case.order_id, onset + after))
        self.site.ledger.commit(told.write)
        return told

    def closed(self, told, days_ago, outcome, *, before="submitted"):
        """Let an order be closed, or with no outcome submitted again."""
        self.told += 1
        after = "submitted" if outcome is None else "cancelled" if outcome == "cancelled" else "closed"
        at = self.now - int(days_ago * DAY_MS)
        change = OrderChange(
            change_id=f"ch-{self.told}", order_id=told.case.order_id, at=at, who="anna", by="engineer",
            before=before, after=after, why="said", outcome=outcome,
        )  # fmt: skip
        told.case.order = OrderStanding(state=after, outcome=outcome, ended_at=at)
        told.case.updated = max(told.case.updated, at)
        self.site.ledger.commit(LedgerWrite(cases=[told.case], changes=[change]))

    def fleet(self, caller=None):
        queries = self.site.app().state.queries
        return Fleet(queries if caller is None else queries.seen_by(caller))


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield World(open_site(tmp_path, stack, seeded=False))


def outcomes(world):
    return {row.fault: row for row in world.fleet().outcomes(Ask(365 * DAY_MS))}["*"]


def test_a_repair_is_redone_when_its_order_or_a_later_one_for_the_same_part_comes_back(world):
    again = world.case(ONE, 100, component="1")
    world.closed(again, 99, "repaired")
    world.closed(again, 80, None, before="closed")  # the same order, after 19 days
    world.closed(again, 79, "repaired")
    later = world.case(TWO, 100, component="1")
    world.closed(later, 98, "repaired")
    world.case(TWO, 58, component="1")  # another order, after 40 days
    elsewhere = world.case(THEIRS, 70, component="1")
    world.closed(elsewhere, 69, "repaired")
    world.case(THEIRS, 65, component="2")  # another part is no redo
    found = outcomes(world)
    assert (found.repaired, found.watched_30_days, found.redone_30_days) == (4, 4, 1)
    assert (found.watched_90_days, found.redone_90_days) == (2, 2)
    assert found.redo_rate_30_days == 0.25


def test_a_young_repair_is_not_watched_yet_and_cancelled_orders_are_no_visits(world):
    for outcome in ("repaired", "no_fault_found", "cancelled"):
        told = world.case(ONE, 3, component=outcome)
        world.closed(told, 2, outcome)
    found = outcomes(world)
    assert (found.closed, found.cancelled, found.no_fault_found_rate) == (3, 1, 0.5)
    assert (found.watched_30_days, found.redo_rate_30_days) == (0, None)


def test_rules_are_told_by_what_became_of_their_cases(world):
    world.case(ONE, 5, rule="wolf", component="1", then=CaseState.DISMISSED)
    world.case(ONE, 5, rule="wolf", component="2", then=CaseState.CLEARED, flaps=True)
    world.closed(world.case(ONE, 5, rule="wolf", component="3"), 4, "no_fault_found")
    world.case(ONE, 5, rule="good", component="4")
    world.case(ONE, 200, rule="good", component="5", then=CaseState.REFUTED)  # before the window
    wolf, good = world.fleet().rules(Ask(90 * DAY_MS))
    assert (wolf.rule, wolf.cases, wolf.dismissed, wolf.cleared_before_confirmation) == ("wolf", 3, 1, 1)
    assert (wolf.flapping, wolf.no_fault_found, wolf.ordered, wolf.noise) == (1, 1, 1, 1.0)
    assert (good.cases, good.refuted, good.noise) == (1, 0, 0.0)


def test_health_counts_devices_that_are_alike_and_only_the_reader_s(world):
    world.case(ONE, 5)
    world.case(ONE, 4, component="2")
    world.case(TWO, 3, then=CaseState.DISMISSED)
    world.case(THEIRS, 3)
    x1, y = sorted(world.fleet().health(Ask()), key=lambda row: row.model)
    assert (x1.devices, x1.with_open_cases, x1.faults, x1.faults_per_100) == (2, 1, 2, 100.0)
    assert (y.model, y.worst_fault) == ("Y", "fan.failed")
    mine = world.fleet(Principal("n", {"nord": Role.VIEWER}))
    assert [row.model for row in mine.health(Ask())] == ["Y"]
    assert mine.health(Ask(tenant="acme")) == []
    assert len(mine.rules(Ask())) == len(mine.delays(Ask())) - 1 == 1
    assert sum(bar.orders for bar in mine.delay_bars(Ask())) == 1


def test_health_by_site_takes_the_registry_s_word(world):
    sites = {"hh": SiteEntry("hh", country="DE")}
    entries = {device: DeviceEntry(device, site="hh") for device in (ONE, TWO)}
    world.site.registry = Registry(devices=entries, sites=sites)
    world.case(ONE, 5)
    (row,) = world.fleet().health(Ask(), "site")
    assert (row.site, row.country, row.devices, row.faults, row.with_open_cases) == ("hh", "DE", 2, 1, 1)


def test_the_time_to_an_order_is_told_by_median_and_nine_of_ten(world):
    for number in range(1, 12):
        world.case(ONE, 5, component=str(number), after=number * MINUTE_MS)
    together, fan = world.fleet().delays(Ask())
    assert (together.fault, fan.fault, fan.orders) == ("*", "fan.failed", 11)
    assert (fan.median_seconds, fan.p90_seconds) == (6 * 60.0, 10 * 60.0)
    bars = [bar.orders for bar in world.fleet().delay_bars(Ask())]
    assert bars[:4] == [0, 4, 7, 0]  # a minute sharp is not under one; five are not under five


async def test_tables_come_as_csv_by_name_or_by_what_is_accepted(world):
    bad = DeviceRecord(
        DeviceId("acme", "pc", "z"), {"model": "=1+1", "firmware": "@x\x1b[31my"}, None, world.now
    )
    world.site.ledger.commit(LedgerWrite(devices=[bad]))
    transport = ASGITransport(world.site.app())
    async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
        named = await http.get("/api/v1/fleet/health.csv?by=firmware")
        accepted = await http.get("/api/v1/fleet/health?by=firmware", headers={"Accept": "text/csv"})
        plain = await http.get("/api/v1/fleet/health?by=firmware")
        refused = await http.get("/api/v1/fleet/rules?window=soon")
    assert named.text == accepted.text
    assert named.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(named.text, newline="")))
    assert {row["model"] for row in rows} == {"X1", "Y", "'=1+1"}
    assert {row["firmware"] for row in rows} == {"1.0", "'@x\x1b[31my"}
    assert "=1+1" in {item["model"] for item in plain.json()["items"]}
    assert refused.status_code == 422


def test_orders_are_listed_by_when_they_are_to_be_resolved(world):
    soon, late, done = world.case(ONE, 1.3), world.case(TWO, 3), world.case(THEIRS, 9)
    world.closed(done, 1, "repaired")
    lists = world.site.ledger.lists

    def ids(wanted):
        return lists.orders(wanted, now=world.now, skip=0, limit=10).keys

    ordered = [told.case.order_id for told in (late, soon, done)]
    assert ids(OrderFilter()) == ordered
    assert ids(OrderFilter("open", "overdue")) == ordered[:2]
    assert ids(OrderFilter("ended")) == ordered[2:]
    assert ids(OrderFilter("", missing=True, words=("Kröger", "nord"))) == ordered[2:]
    assert ids(OrderFilter(words=("Kröger",), owners_of=["acme"])) == ordered[:2]
    assert ids(OrderFilter(tenants=["nord"])) == ordered[2:]
    assert lists.orders(OrderFilter(), now=world.now, skip=1, limit=1).keys == ordered[1:2]


def test_devices_are_listed_by_pages_and_found_by_what_they_say(world):
    world.case(TWO, 1)
    lists = world.site.ledger.lists
    assert lists.devices(DeviceFilter(), skip=1, limit=1) == ([TWO], 3)
    assert lists.devices(DeviceFilter(words=("x1", "acme/pc")), skip=0, limit=9) == ([ONE, TWO], 2)
    assert lists.devices(DeviceFilter(words=("%",)), skip=0, limit=9) == ([], 0)
    assert lists.devices(DeviceFilter(state="cases"), skip=0, limit=9) == ([TWO], 1)
    assert lists.devices(DeviceFilter(tenants=["nord"]), skip=0, limit=9) == ([THEIRS], 1)
    assert lists.open_cases([ONE, TWO]) == {TWO: 1}
