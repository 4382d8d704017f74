"""Commands from the broker: what is asked, whether it is done, and what is answered.

Whoever may publish on our command topic is not trusted with more than the fixed list of actions: nothing of
a command reaches a shell or a command line but the name of a drive that we have found ourselves.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from rules.times import parse_instant

log = structlog.get_logger("forewarn.agent")

#: Tests that may wait while another one runs, answers that are remembered, bytes of a command.
WAITING, REMEMBERED, MOST_BYTES = 8, 1_000, 65_536
_ID_LENGTH = 256


class Answer(NamedTuple):
    """What a test found: the state to reply with and the measurements behind it."""

    state: str
    result: dict[str, object]


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it came down.

    Attributes:
        component: ``""`` for the device itself.
        expires_ms: ms since 1970 UTC; None: never.
    """

    id: str
    action: str
    component: str = ""
    args: Mapping[str, object] = field(default_factory=dict)
    expires_ms: int | None = None


class BadCommandError(ValueError):
    """A command cannot be run. Attribute `id`: whom to answer; None when the command does not say."""

    def __init__(self, identifier: str | None, reason: str) -> None:
        super().__init__(reason)
        self.id = identifier


#: Runs one action.
Action = Callable[[Command], Awaitable[Answer]]
#: Sends a reply: id, state, result.
Send = Callable[[str, Answer], None]


class Prober:
    """Runs tests one after another, beside the readings; each command once, however often it comes.

    `take` and `run` belong to one event loop.
    """

    def __init__(self, actions: Mapping[str, Action], send: Send, now: Callable[[], int]) -> None:
        """Take what can be done, where replies go, and the clock (ms since 1970 UTC)."""
        self._actions = actions
        self._send = send
        self._now = now
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._waiting: asyncio.Queue[Command] = asyncio.Queue(WAITING)

    def take(self, payload: bytes) -> None:
        """Answer a command at once, or have it run."""
        try:
            command = read_command(payload)
        except BadCommandError as error:
            log.warning("command_refused", id=error.id, detail=str(error))
            if error.id is not None and error.id not in self._answers:
                self._answer(error.id, Answer("error", {"reason": str(error)}))
            return
        before = self._answers.get(command.id)
        if before is not None:  # the broker, or a gateway that was started anew, asks again
            self._send(command.id, before)
            return
        refused = self._refusal(command)
        if refused is not None:
            self._answer(command.id, refused)
            return
        self._answer(command.id, Answer("running", {}))
        self._waiting.put_nowait(command)

    def _refusal(self, command: Command) -> Answer | None:
        if self._expired(command):
            return Answer("error", {"reason": "expired before it arrived"})
        if command.action not in self._actions:
            return Answer("unsupported", {"reason": f"no such action here: {command.action[:64]}"})
        if self._waiting.full():
            return Answer("error", {"reason": f"{WAITING} tests are waiting already"})
        return None

    async def run(self) -> None:
        """Run what was taken, until cancelled."""
        while True:
            command = await self._waiting.get()
            if self._expired(command):
                answer = Answer("error", {"reason": "expired while other tests ran"})
            else:
                log.info("probe_begun", id=command.id, action=command.action, component=command.component)
                answer = await self._done(command)
            self._answer(command.id, answer)

    async def _done(self, command: Command) -> Answer:
        try:
            return await self._actions[command.action](command)
        except Exception as error:  # the next command shall find us all the same
            log.exception("probe_broke_off", id=command.id, action=command.action)
            return Answer("error", {"reason": f"the test broke off: {error}"})

    def _expired(self, command: Command) -> bool:
        return command.expires_ms is not None and command.expires_ms < self._now()

    def _answer(self, identifier: str, answer: Answer) -> None:
        self._answers[identifier] = answer
        self._answers.move_to_end(identifier)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        if answer.state != "running":
            log.info("probe_answered", id=identifier, state=answer.state, result=answer.result)
        self._send(identifier, answer)


def read_command(payload: bytes) -> Command:
    """Return the command in a payload.

    Raises:
        BadCommandError: it is none; says what was expected.
    """
    if len(payload) > MOST_BYTES:
        raise BadCommandError(None, f"expected at most {MOST_BYTES} bytes, got {len(payload)}")
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadCommandError(None, "expected a JSON object") from None
    if not isinstance(document, dict):
        raise BadCommandError(None, "expected a JSON object")
    identifier = document.get("id")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= _ID_LENGTH:
        raise BadCommandError(None, f"id: expected a text of 1 to {_ID_LENGTH} characters")
    action, component = document.get("action"), document.get("component") or ""
    args, expires = document.get("args") or {}, document.get("expires")
    if not isinstance(action, str):
        raise BadCommandError(identifier, "action: expected a text")
    if not isinstance(component, str):
        raise BadCommandError(identifier, "component: expected a text")
    if not isinstance(args, dict):
        raise BadCommandError(identifier, "args: expected an object")
    return Command(identifier, action, component, args, _instant(identifier, expires))


def _instant(identifier: str, expires: object) -> int | None:
    if expires is None:
        return None
    if isinstance(expires, bool) or not isinstance(expires, int | float | str):
        raise BadCommandError(identifier, "expires: expected RFC 3339 or milliseconds since 1970")
    try:
        return parse_instant(expires)
    except (ValueError, OverflowError) as error:
        raise BadCommandError(identifier, f"expires: {error}") from None
