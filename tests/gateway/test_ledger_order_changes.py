"""What happened to an order is kept once, brings it to where it leads, and is owed to other systems."""

from itertools import pairwise

import pytest
import sqlalchemy as sa
from story import Story, ruleset

from diagnostics.orders.changes import OrderChange, PartUsed
from gateway.ledger.store import SqlLedger
from gateway.ledger.tables import outbox
from gateway.ports import LedgerWrite


@pytest.fixture
def orders(tmp_path):
    """Two orders of one fault of one device, as they follow each other."""
    story = Story(ruleset(tmp_path, {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}))
    story.reads("acme/appliance/wm-7", {"leak.detected": True})
    story.told("close", outcome="no_fault_found")
    story.passes("1h")
    story.reads("acme/appliance/wm-7", {"leak.detected": False})
    story.passes("1h")
    story.reads("acme/appliance/wm-7", {"leak.detected": True})
    return story.orders


@pytest.fixture
def ledger(tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    yield ledger
    ledger.close()


def change(order, number, before, after, **more):
    return OrderChange(
        change_id=f"OC-{order.order_id}-{number}",
        order_id=order.order_id,
        at=number,
        who="anna",
        by="engineer",
        before=before,
        after=after,
        why="so",
        **more,
    )


def owed(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/ledger.db")
    with engine.begin() as connection:
        kinds = connection.scalars(sa.select(outbox.c.type).order_by(outbox.c.number)).all()
    engine.dispose()
    return [kind.rpartition(".")[2] for kind in kinds]


def test_changes_are_kept_once_and_in_order(tmp_path, ledger, orders):
    first = orders[0]
    steps = [
        change(first, 1, "submitted", "acknowledged"),
        change(first, 2, "acknowledged", "acknowledged"),  # a note
        change(first, 3, "acknowledged", "closed", outcome="repaired", parts_used=[PartUsed(part="HOSE")]),
    ]
    write = LedgerWrite(orders=[first], changes=steps)
    ledger.commit(write)
    ledger.commit(write)  # recovery does the same work again
    assert ledger.order_changes(first.order_id) == steps
    assert ledger.order(first.order_id).state == "closed"
    assert owed(tmp_path) == ["opened", "updated", "closed"]


@pytest.mark.parametrize(
    ("door", "told"),
    [
        (["resolved", "closed"], ["closed", "updated"]),
        (["resolved", "inProgress", "resolved", "closed"], ["closed", "opened", "closed", "updated"]),
        (["closed", "submitted", "cancelled"], ["closed", "opened", "closed"]),
        (["held", "inProgress"], ["updated", "updated"]),
    ],
)
def test_other_systems_hear_opened_and_closed_in_turn(tmp_path, ledger, orders, door, told):
    first = orders[0]
    ledger.commit(LedgerWrite(orders=[first]))
    for number, (before, after) in enumerate(pairwise(["submitted", *door]), start=1):
        ledger.commit(LedgerWrite(changes=[change(first, number, before, after)]))
    assert owed(tmp_path) == ["opened", *told]


def test_an_order_that_ends_makes_room_for_the_next_within_one_write(ledger, orders):
    first, second = orders
    write = LedgerWrite(
        orders=[first, second],
        changes=[change(first, 1, "submitted", "cancelled"), change(second, 2, "submitted", "held")],
    )
    assert [order.order_id for order in ledger.commit(write)] == [first.order_id, second.order_id]
    assert ledger.commit(write) == []
    assert [ledger.order(order.order_id).state for order in orders] == ["cancelled", "held"]


def test_two_orders_of_one_fault_are_never_open_together(ledger, orders):
    first, second = orders
    ledger.commit(LedgerWrite(orders=[first], changes=[change(first, 1, "submitted", "closed")]))
    ledger.commit(LedgerWrite(orders=[second]))
    ledger.commit(LedgerWrite(changes=[change(first, 2, "closed", "submitted")]))
    assert [ledger.order(order.order_id).state for order in orders] == ["closed", "submitted"]


def test_what_happened_to_an_order_that_is_not_there_is_not_kept(ledger, orders):
    ledger.commit(LedgerWrite(changes=[change(orders[0], 1, "submitted", "held")]))
    assert ledger.order_changes(orders[0].order_id) == []


def test_a_change_leaves_the_key_of_its_order_alone(ledger, orders):
    """Else the database looks through all that was ever owed: half a second with 13,000 events."""
    ledger.commit(LedgerWrite(orders=[orders[0]]))
    said = []

    def listener(_connection, _cursor, statement, *_):
        said.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", listener)
    try:
        ledger.commit(LedgerWrite(changes=[change(orders[0], 1, "submitted", "acknowledged")]))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listener)
    (updating,) = [statement for statement in said if statement.startswith("UPDATE orders")]
    assert "order_id" not in updating.partition("WHERE")[0]
