"""The buttons above the queue: what is done with the cases that were chosen."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nicegui.events import GenericEventArguments

from diagnostics.case import Case
from gateway.console.dialogs import Dialog, Values
from gateway.console.frame import Desk
from gateway.console.hands import Hands, dismiss_field, dismissal_words, silence_fields, silence_words
from gateway.console.language import t
from gateway.console.live import Live
from gateway.console.parts import box, press, text

#: Tells the server which rows are meant.
PICK = "(event) => emit(window.forewarn.picked(event))"


class ActBar:
    """The buttons above the queue. Viewers see none, and why.

    Attributes:
        may_act: whether the reader may do anything.
    """

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._hands = Hands(desk, live)
        self.may_act = self._hands.actions.may_anywhere()
        self._picked: list[Case] = []
        if not self.may_act:
            text("p", t("You may look. To act on cases takes the role engineer."), "hint")
            return
        with box("div", "acts").props("role=toolbar") as bar:
            bar.props["aria-label"] = t("Do with the chosen cases")
            self._count = text("span", "", "picked").props("aria-live=polite")
            self._button(t("Acknowledge"), "a", self._hands.acknowledge)
            self._button(t("Assign to me"), "m", self._hands.assign)
            self._button(t("Dismiss…"), "d", self._ask_dismiss)
            self._button(t("Silence…"), "s", self._ask_silence)
        self._dismissal = Dialog(t("Dismiss"), t("Dismiss"), [dismiss_field()], self._dismiss)
        self._silence = Dialog(t("Silence"), t("Silence"), silence_fields(), self._begin_silence)

    @property
    def leaving(self) -> frozenset[str]:
        """The cases that are being dismissed and can still be kept."""
        return frozenset(self._hands.leaving)

    def selected(self, keys: list[str]) -> None:
        """Be told which rows are selected."""
        self._count.set_text(t("{number} selected", number=len(keys)) if keys else "")

    def _button(self, words: str, key: str, act: Callable[[Sequence[Case]], Awaitable[None]]) -> None:
        async def pressed(event: GenericEventArguments) -> None:
            cases = await asyncio.to_thread(self._desk.queries.cases_of, [str(one) for one in event.args])
            if not cases:
                self._hands.toasts.say(t("Choose cases first: x selects one, j and k walk through them."))
                return
            await act(cases)

        button = press(words, "action")
        button.props["data-shortcut"] = key
        with button:
            text("kbd", key).props["aria-hidden"] = "true"
        button.on("click", pressed, js_handler=PICK)

    async def _ask_dismiss(self, cases: Sequence[Case]) -> None:
        self._picked = list(cases)
        self._dismissal.ask(dismissal_words(cases))

    async def _dismiss(self, values: Values) -> None:
        await self._hands.dismiss(self._picked, values["note"])

    async def _ask_silence(self, cases: Sequence[Case]) -> None:
        self._picked = list(cases)
        self._silence.ask(silence_words())

    async def _begin_silence(self, values: Values) -> None:
        await self._hands.silence(self._picked, values)
