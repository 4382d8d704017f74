"""A ledger, orders in it, and a dispatcher over them, for the tests of dispatch."""

import asyncio
import base64
import contextlib
from functools import partial

from story import Story, ruleset

from diagnostics.orders.model import OrderState
from gateway.clock import SystemClock
from gateway.config import DispatchTable
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.targets import Target, problems_of
from gateway.events import Events
from gateway.ledger.outbox import SqlOutbox
from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()

OPENED, UPDATED, CLOSED = (f"com.forewarn.order.{action}" for action in ("opened", "updated", "closed"))


def target(kind="webhook", **keys):
    """A target as a configuration has it, which may lead to this machine."""
    if kind == "webhook":
        keys.setdefault("secret", SECRET)
    table = DispatchTable.model_validate({"name": "crm", "kind": kind, "allow_private": True, **keys})
    assert not problems_of([table])
    return Target.of(table, str)


class Office:
    """One ledger; orders are opened, graded and closed in it, and dispatchers run over it."""

    def __init__(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/ledger.db"
        self.ledger = SqlLedger(self.url)
        self.outbox = SqlOutbox(self.url)
        leak = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "minor"}
        story = Story(ruleset(tmp_path, leak))
        story.reads("acme/appliance/wm-7", {"leak.detected": True})
        self._pattern = story.orders[0]
        self.events = Events()

    def close(self):
        self.outbox.close()
        self.ledger.close()

    def order(self, number=1, **changes):
        device = self._pattern.device.model_copy(update={"device": f"wm-{number}"})
        return self._pattern.model_copy(update={"order_id": f"SO-{number}", "device": device, **changes})

    def open(self, *numbers, **changes):
        self.ledger.commit(LedgerWrite(orders=[self.order(number, **changes) for number in numbers]))

    def end(self, *numbers):
        ended = [self.order(number, state=OrderState.CLOSED) for number in numbers]
        self.ledger.commit(LedgerWrite(orders=ended))

    def know(self, *targets):
        """Make targets known, as a gateway's start does before anything happens."""
        self.outbox.share_out({each.name: each.tenant for each in targets})

    def stands(self, state=None):
        return self.outbox.deliveries(state=state, limit=1000).items

    def count(self, result, name="crm"):
        value = self.events.registry.get_sample_value(
            "forewarn_dispatch_total", {"target": name, "result": result}
        )
        return int(value or 0)

    @contextlib.asynccontextmanager
    async def dispatching(self, *targets):
        """Run a dispatcher whose pauses are short, for as long as the block lasts."""
        dispatcher = Dispatcher(
            self.outbox,
            targets,
            clock=SystemClock(),
            events=self.events,
            first_pause=0.01,
            first_probe=0.01,
        )
        task = asyncio.create_task(dispatcher.run())
        try:
            yield partial(_until, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def delivered(self, *targets, number):
        """Run until so many deliveries stand as delivered."""
        async with self.dispatching(*targets) as until:
            await until(lambda: len(self.stands("delivered")) == number)


async def _until(task, condition, seconds=60.0):
    async with asyncio.timeout(seconds):
        while not condition():
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
