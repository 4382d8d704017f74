"""How a page keeps itself up to date: it asks again every second, on a thread, and redraws what changed."""

import asyncio
import threading
import time
import traceback
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog
from nicegui import ui
from nicegui.element import Element

from gateway.console.language import t
from gateway.errors import ForewarnError

T = TypeVar("T")
Q = TypeVar("Q")

log = structlog.get_logger("forewarn.console")

#: Seconds between two looks of a page.
INTERVAL = 1.0


class Shared(Generic[T]):
    """An answer that many open pages share for a moment, so that ten readers ask the store once."""

    def __init__(self, ask: Callable[[], T], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._answers: list[T] = []
        self._until = 0.0

    def get(self) -> T:
        """Return the answer, at most so many seconds old."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._answers = [self._ask()]
                self._until = time.monotonic() + self._seconds
            return self._answers[0]


class Latest(Generic[Q, T]):
    """The answer to the question at hand, kept for a moment: a page that looks every second asks more rarely.

    Args:
        ask: is given the question.
        seconds: for which an answer is good enough.
    """

    def __init__(self, ask: Callable[[Q], T], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._kept: list[tuple[Q, float, T]] = []

    def get(self, question: Q) -> T:
        """Return the answer, at most so many seconds old."""
        now = time.monotonic()
        if not self._kept or self._kept[0][0] != question or now >= self._kept[0][1]:
            self._kept = [(question, now + self._seconds, self._ask(question))]
        return self._kept[0][2]


class Watch(Generic[T]):
    """A question that a page asks again and again, and what shows the answer."""

    def __init__(self, ask: Callable[[], T], show: Callable[[T], None], container: Element) -> None:
        self._ask = ask
        self._show = show
        self._container = container
        self._shown: list[T] = []

    async def look(self) -> None:
        """Ask on a thread and show the answer when it is not the one that is shown."""
        answer = await asyncio.to_thread(self._ask)
        if self._container.is_deleted or self._shown == [answer]:
            return
        self._shown = [answer]
        with self._container:
            self._show(answer)


class Looking(Protocol):
    """A watch of any kind of answer."""

    async def look(self) -> None:
        """Ask, and show what changed."""
        ...


class Live:
    """The watches of one open page. `trouble` shows a sentence, or None when all is well again."""

    def __init__(self, trouble: Callable[[str | None], None]) -> None:
        self._trouble = trouble
        self._watches: list[Looking] = []

    async def watch(self, ask: Callable[[], T], show: Callable[[T], None]) -> None:
        """Show an answer now and whenever it changes; `show` draws into the element that is open here."""
        watch = Watch(ask, show, ui.context.slot.parent)
        self._watches.append(watch)
        await self._look(watch)

    def start(self) -> None:
        """Begin to look again; to be called once the page is built."""
        ui.timer(INTERVAL, self.look, immediate=False)

    async def look(self) -> None:
        """Ask everything again."""
        fine = [await self._look(watch) for watch in self._watches]
        if all(fine):
            self._trouble(None)

    async def _look(self, watch: Looking) -> bool:
        try:
            await watch.look()
        except ForewarnError as error:
            self._trouble(t("The stores cannot be read: {error}. What you see may be old.", error=error))
        except Exception as error:
            _log_failure(error)
            self._trouble(t("This page could not be brought up to date; the gateway's log says why."))
        else:
            return True
        return False


def _log_failure(error: Exception) -> None:
    # As plain text: the logger's drawn tracebacks take seconds, on the event loop.
    log.error("page_update_failed", trace="".join(traceback.format_exception(error)))


class Region(Generic[T]):
    """A container whose content is drawn anew only when what it shows has changed."""

    def __init__(self, container: Element, draw: Callable[[T], None]) -> None:
        self._container = container
        self._draw = draw
        self._shown: list[T] = []

    def show(self, content: T) -> None:
        """Show this content."""
        if self._shown == [content]:
            return
        self._shown = [content]
        self._container.clear()
        with self._container:
            self._draw(content)
