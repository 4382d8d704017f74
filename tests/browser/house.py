"""A console in a process of its own, over a pipeline at work: devices speak and people act in it."""

import multiprocessing
import traceback
from contextlib import ExitStack
from http.cookies import SimpleCookie
from pathlib import Path

from acting_world import World, open_world
from browser.conftest import Served
from browser.console_courses import send

from diagnostics.case import Case
from gateway.access.principal import Principal, Role
from gateway.ports import LedgerWrite
from gateway.rulesview import RulePacks
from rules.symbols import DeviceId
from rules.times import MINUTE_MS

#: Who the readers are, by the cookie ``reader`` of their browser.
READERS = {
    "anna": Principal("anna", {"*": Role.ENGINEER}, account="A-1"),
    "vera": Principal("vera", {"*": Role.VIEWER}, account="A-2"),
    "noor": Principal("noor", {"nordfrost": Role.ENGINEER}, account="A-3"),
}
DEFAULT = "anna"

HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 90",
    "confirm": {"any_of": [{"engineer": True}]},
}
#: Knows a self test that engineers can ask a server for.
FAN = {
    "id": "fan",
    "fault": "fan.stopped",
    "when": "fan.rpm < 1",
    "confirm": {"any_of": [{"probe": "fan.test"}]},
}
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "critical"}
SEVERITIES = ("critical", "major", "minor")


class ByCookie:
    """Knows readers by their cookie."""

    async def identify(self, connection):
        cookies = SimpleCookie(connection.headers.get("cookie", ""))
        name = cookies["reader"].value if "reader" in cookies else DEFAULT
        return READERS[name]


class House(World):
    """The world of the console's process; its methods are what tests ask for."""

    def __init__(self, story, site):
        super().__init__(story, site)
        site.rules = RulePacks(story.ruleset)
        self.app = site.app(callers=ByCookie(), instructed=self)

    def reads(self, device, values):
        super().reads(device, values)
        name, now = DeviceId(*device.split("/")), self.story.clock
        send(self.site.history, self.story.symbols, name, MINUTE_MS, lambda _: values, start=now, end=now)
        self.passes("1m")

    def crowd(self, number):
        """Let there be so many open cases, of which the pipeline knows nothing."""
        for first in range(0, number, 1_000):
            batch = range(first, min(first + 1_000, number))
            self.site.ledger.commit(LedgerWrite(cases=[self._case(one) for one in batch]))

    def _case(self, number):
        onset = self.story.clock - number * MINUTE_MS
        return Case(
            case_id=f"crowd-{number:05d}",
            tenant="acme",
            device_class="pc",
            device=f"pc-{number:05d}",
            component="",
            fault="cpu.overheating",
            title="The processor is too hot",
            rule="hot",
            severity=SEVERITIES[number % 3],
            onset=onset,
            updated=onset,
        )

    def order_ids(self):
        return [order.order_id for order in self.story.orders]

    def outcomes(self):
        return [change.outcome.value for change in self.story.changes if change.outcome is not None]

    def case_ids(self):
        return list(self.story.cases)

    def states(self):
        return {case.device: case.state.value for case in self.story.cases.values()}

    def probe(self, state):
        self.answer(state)

    def asked(self):
        return [command.action for command in self.story.commands]


def _serve(folder, pipe):
    with ExitStack() as stack:
        world = open_world(Path(folder), stack, HOT, FAN, LEAK)
        house = House(world.story, world.site)
        house.site.app = lambda **_: house.app
        served = Served(house.site, None)
        stack.callback(served.stop)
        pipe.send(served.base)
        while (told := pipe.recv()) is not None:
            name, arguments = told
            try:
                pipe.send((True, getattr(house, name)(*arguments)))
            except Exception:  # whatever it was, the test is told
                pipe.send((False, traceback.format_exc()))


class Neighbour:
    """The test's side of a house: every method is one of `House`'s."""

    def __init__(self, folder):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(str(folder), theirs), name="house")
        self._process.start()
        theirs.close()  # its end is the other process's: when that dies, waiting ends
        self.base = self._pipe.recv()

    def __getattr__(self, name):
        def ask(*arguments):
            self._pipe.send((name, arguments))
            done, answer = self._pipe.recv()
            assert done, answer
            return answer

        return ask

    def close(self):
        if self._process.is_alive():
            self._pipe.send(None)
        self._process.join(20)
        self._process.kill()
        assert self._process.exitcode == 0, "the house did not close"
