"""An order's severity follows that of its case: in the ledger, for other systems, in a replay."""

import pytest
import sqlalchemy as sa
from story import Story, ruleset

from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import OrderState
from gateway.ledger.store import SqlLedger
from gateway.ledger.tables import outbox
from gateway.ports import LedgerWrite
from gateway.replay import Collected

LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "minor"}


@pytest.fixture
def order(tmp_path):
    story = Story(ruleset(tmp_path, LEAK))
    story.reads("acme/appliance/wm-7", {"leak.detected": True})
    return story.orders[0]


@pytest.fixture
def ledger(tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    yield ledger
    ledger.close()


def told(tmp_path):
    """What is owed to other systems."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/ledger.db")
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(sa.select(outbox.c.type, outbox.c.payload))]
    engine.dispose()
    return found


def graded(order, severity, at):
    return OrderChange(
        change_id=f"OC-{at}-{order.order_id}",
        order_id=order.order_id,
        at=at,
        who="forewarn",
        by="gateway",
        before="submitted",
        after="submitted",
        why="it grew",
        severity=severity,
    )


def test_an_open_order_gets_the_severity_and_other_systems_are_told_once(tmp_path, ledger, order):
    ledger.commit(LedgerWrite(orders=[order], changes=[graded(order, "critical", 5)]))
    kept = ledger.order(order.order_id)
    assert kept == order.graded("critical")
    ledger.commit(LedgerWrite(changes=[graded(order, "major", 6)]))
    # Recovery does the same work again.
    ledger.commit(LedgerWrite(orders=[order], changes=[graded(order, "critical", 5)]))
    ledger.commit(LedgerWrite(changes=[graded(order, "major", 6)]))
    assert ledger.order(order.order_id).fault.severity == "major"
    assert [kind.rpartition(".")[2] for kind, _ in told(tmp_path)] == ["opened", "updated", "updated"]
    assert '"severity":"critical"' in told(tmp_path)[1][1]


def test_what_is_as_it_was_is_not_told(tmp_path, ledger, order):
    ledger.commit(LedgerWrite(orders=[order]))
    ledger.commit(LedgerWrite(changes=[graded(order, "minor", 5)]))
    assert len(told(tmp_path)) == 1


def test_an_order_that_is_over_or_that_nobody_knows_stays_as_it_is(tmp_path, ledger, order):
    ended = order.model_copy(update={"state": OrderState.CLOSED})
    ledger.commit(LedgerWrite(orders=[order]))
    ledger.commit(LedgerWrite(orders=[ended]))
    unknown = graded(order.model_copy(update={"order_id": "SO-NOBODYS"}), "critical", 5)
    ledger.commit(LedgerWrite(changes=[graded(order, "critical", 5), unknown]))
    assert ledger.order(order.order_id).fault.severity == "minor"
    assert len(told(tmp_path)) == 2


def test_a_replay_writes_orders_as_they_came_to_be(tmp_path):
    story = Story(ruleset(tmp_path, LEAK))
    collected = Collected()
    take = story.take

    def taking(effects):
        collected.take(effects)
        take(effects)

    story.take = taking
    story.reads("acme/appliance/wm-7", {"leak.detected": True})
    (order,) = story.orders
    effects = story.pipeline.tick(story.clock)
    effects.write.changes = [graded(order, "critical", story.clock)]
    story.take(effects)
    assert [line["fault"]["severity"] for line in collected.order_lines()] == ["critical"]
