"""A fleet of simulated devices at a real broker: one loop drives all of their connections."""

import heapq
import logging
import resource
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from gateway.clock import ScaledClock
from simulators.connection import Broker, Connection
from simulators.plan import PlannedDevice, plan_fleet

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

__all__ = ["Fleet", "FleetSettings", "PlannedDevice", "plan_fleet"]

_log = logging.getLogger("simulators")

#: Threads that open connections: opening may block for seconds, driving them never does.
_DIALLERS = 8
#: Longest wait for the sockets, and distance of the looks after every connection, s.
_TICK_S, _BREATH_S = 0.05, 1.0
#: How long devices are stepped between two looks at the sockets, s.
_TURN_S = 0.05
#: How long the end may take: until the broker has the farewells, and until the last bytes are out, s.
_FAREWELL_S, _CLOSING_S = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How a fleet runs.

    Attributes:
        origin_ms: device time at which it starts.
        speed: seconds of device time in a second of wall time.
        root: first level of the topics.
        meeting_ms: instant at which device time and wall time are equal; None: that of the start.
    """

    broker: Broker
    origin_ms: int
    speed: float
    root: str = "fw"
    meeting_ms: int | None = None


class Fleet:
    """Steps devices as their time comes, publishes what they measure, answers what they are asked."""

    def __init__(self, plan: Sequence[PlannedDevice], settings: FleetSettings) -> None:
        """Build the devices; nothing is connected yet.

        Raises:
            OSError: the system does not allow so many connections.
        """
        _allow_sockets(len(plan))
        self._address = f"{settings.broker.host}:{settings.broker.port}"
        meeting = settings.origin_ms if settings.meeting_ms is None else settings.meeting_ms
        self._clock = ScaledClock(meeting, settings.speed)
        self._connections = [
            Connection(planned.build(settings.origin_ms), settings.broker, settings.root) for planned in plan
        ]
        self._agenda = _Agenda([connection.device.next_ms for connection in self._connections])
        self._place = {connection: place for place, connection in enumerate(self._connections)}
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[Connection, SocketLike] = {}
        self._waiting = set(self._connections)
        self._to_dial: SimpleQueue[Connection] = SimpleQueue()
        self._dialled: SimpleQueue[tuple[Connection, bool]] = SimpleQueue()
        self._present: set[Connection] = set()
        self._next_breath = 0.0
        self._complained = False

    @property
    def now_ms(self) -> int:
        """Device time, ms since 1970 UTC."""
        return self._clock.now()

    @property
    def connected(self) -> int:
        """How many devices are at the broker; to be asked by the thread that runs the fleet."""
        return len(self._present)

    @property
    def published(self) -> int:
        """How many messages were handed to the broker."""
        return sum(connection.published for connection in self._connections)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Run until `stopped` says so, then take leave within a second."""
        for number in range(min(_DIALLERS, len(self._connections))):
            Thread(target=self._dial, name=f"dial-{number}", daemon=True).start()
        try:
            while not stopped():
                self._redial()
                self._take_dialled()
                behind = self._step_due()
                self._serve_sockets(0.0 if behind else _TICK_S)
                self._breathe()
            self._leave()
        finally:
            self._selector.close()

    # -- devices --------------------------------------------------------------------------------------

    def _step_due(self) -> bool:
        """Step the devices whose time has come; say whether more are waiting."""
        now_ms = self._clock.now()
        turn_ends = time.monotonic() + _TURN_S
        while time.monotonic() < turn_ends:
            place = self._agenda.take(now_ms)
            if place is None:
                return False
            connection = self._connections[place]
            device = connection.device
            connection.keep(device.step(now_ms))
            connection.keep_replies(device.verdicts(now_ms))
            connection.flush()
            self._agenda.put(place, device.next_ms)
        return True

    def _answer(self, connection: Connection) -> None:
        while connection.commands:
            command = connection.commands.popleft()
            connection.keep_replies(connection.device.answer(command, self._clock.now()))
            # The verdict may be due before the next reading.
            self._agenda.put(self._place[connection], connection.device.next_ms)
        connection.flush()

    # -- connections ----------------------------------------------------------------------------------

    def _dial(self) -> None:
        while True:
            connection = self._to_dial.get()
            self._dialled.put((connection, connection.dial()))

    def _redial(self) -> None:
        now = time.monotonic()
        for connection in [waiting for waiting in self._waiting if waiting.retry_at <= now]:
            self._waiting.remove(connection)
            self._to_dial.put(connection)

    def _take_dialled(self) -> None:
        while not self._dialled.empty():
            connection, reached = self._dialled.get()
            opened = connection.client.socket() if reached else None
            if opened is None:
                self._lost(connection)
            else:
                self._sockets[connection] = opened
                self._selector.register(opened, selectors.EVENT_READ, connection)

    def _serve_sockets(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            connection: Connection = key.data
            connection.read()
            self._look_after(connection)

    def _breathe(self) -> None:
        """Once a second: what full sockets did not take, pings, connections that went silent."""
        now = time.monotonic()
        if now < self._next_breath:
            return
        self._next_breath = now + _BREATH_S
        for connection in list(self._sockets):
            connection.breathe()
            self._look_after(connection)

    def _look_after(self, connection: Connection) -> None:
        """React to what reading or waiting did to a connection: it came up, was asked, or was lost."""
        opened = self._sockets[connection]
        if connection.client.socket() is not opened:
            self._selector.unregister(opened)
            del self._sockets[connection]
            self._lost(connection)
        elif connection.ready:
            if connection not in self._present:
                self._present.add(connection)
                connection.introduce()
                self._report_restored()
            self._answer(connection)

    def _lost(self, connection: Connection) -> None:
        self._present.discard(connection)
        connection.later(time.monotonic())
        self._waiting.add(connection)
        if not self._complained:
            self._complained = True
            _log.warning(
                "%s: %s; devices keep their readings and try again", self._address, connection.trouble
            )

    def _report_restored(self) -> None:
        if self._complained and len(self._present) == len(self._connections):
            self._complained = False
            _log.warning("%s: all devices are connected again", self._address)

    def _leave(self) -> None:
        """Say goodbye, wait for the broker to have it, disconnect; whoever is too slow leaves by will."""
        for connection in self._present:
            connection.farewell()
        deadline = time.monotonic() + _FAREWELL_S
        while any(one.unacknowledged for one in self._present) and time.monotonic() < deadline:
            self._serve_sockets(0.02)
        for connection in list(self._sockets):
            connection.close()
        deadline = time.monotonic() + _CLOSING_S
        while any(one.client.want_write() for one in self._sockets) and time.monotonic() < deadline:
            for connection in self._sockets:
                connection.write()


class _Agenda:
    """When each device has something to do next; each stands in it at most once."""

    def __init__(self, due_ms: Sequence[int]) -> None:
        self._due_ms = list(due_ms)
        self._heap = [(due, place) for place, due in enumerate(due_ms)]
        heapq.heapify(self._heap)

    def put(self, place: int, due_ms: int) -> None:
        """Set when a device is due; an entry made before counts no more."""
        if self._due_ms[place] != due_ms:
            self._due_ms[place] = due_ms
            heapq.heappush(self._heap, (due_ms, place))

    def take(self, now_ms: int) -> int | None:
        """Return a device that is due by now, longest due first; None when none is."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, place = heapq.heappop(self._heap)
            if self._due_ms[place] == due_ms:
                self._due_ms[place] = -1
                return place
        return None


def _allow_sockets(devices: int) -> None:
    """Ask the system for as many open files as so many connections need.

    Raises:
        OSError: it does not allow that many; says how many it does.
    """
    needed = 3 * devices + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise OSError(f"{devices} devices need {needed} open files, the system allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
