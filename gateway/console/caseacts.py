"""What can be done with one case: each with what it will do, and with the reason where it cannot be done."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from diagnostics.case import Case
from diagnostics.instruction import Verb
from gateway.api.casework import Asking, Possible
from gateway.console.dialogs import Dialog, Field, Values
from gateway.console.frame import Desk
from gateway.console.hands import Hands, dismiss_field, dismissal_words, silence_fields, silence_words
from gateway.console.language import t
from gateway.console.live import Live, Region
from gateway.console.parts import box, press, text
from gateway.console.words import action_words, fault_title, upper_first

Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Chances:
    """A case and what can be done with it now."""

    case: Case
    possible: Possible


class CaseActs:
    """The buttons of a case's page; `show` says what is possible."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._hands = Hands(desk, live)
        self._now: list[Chances] = []
        self._place = box("div", "case-acts")
        self._region = Region(self._place, self._draw)
        self._confirm = self._dialog(t("Confirm"), [_note()], self._send_confirm)
        self._dismissal = self._dialog(t("Dismiss"), [dismiss_field()], self._send_dismiss)
        self._comment = self._dialog(t("Comment"), [_note(required=True)], self._send_comment)
        self._silence = self._dialog(t("Silence"), silence_fields(), self._send_silence)

    def show(self, case: Case, possible: Possible) -> None:
        """Show what can be done with a case as it stands."""
        self._now = [Chances(case, possible)]
        self._region.show(self._now[0])

    @property
    def _case(self) -> Case:
        return self._now[0].case

    def _draw(self, now: Chances) -> None:
        if not self._hands.actions.may(now.case.tenant):
            text("p", t("You may look. To act on this case takes the role engineer."), "hint")
            return
        why = now.possible.verbs
        if why[Verb.REOPEN] is None:
            self._row(
                t("Take the dismissal back"), "", t("The case goes on where it stood."), None, self._reopen
            )
        if now.case.is_open:
            self._row(t("Confirm…"), "o", confirm_words(now.case), why[Verb.CONFIRM], self._ask_confirm)
            for asking in now.possible.probes:
                self._asking(asking, Verb.PROBE)
            tests = {asking.test.action for asking in now.possible.probes}
            for asking in now.possible.remedies:
                if asking.test.action not in tests:
                    self._asking(asking, Verb.REMEDY)
            self._row(t("Dismiss…"), "d", dismissal_words([now.case]), why[Verb.DISMISS], self._ask_dismiss)
        with box("div", "acts"):
            self._small(t("Acknowledge"), "a", why[Verb.ACKNOWLEDGE], self._acknowledge)
            self._small(t("Assign to me"), "m", why[Verb.ASSIGN], self._assign)
            self._small(t("Comment…"), "c", why[Verb.COMMENT], self._ask_comment)
            self._small(t("Silence…"), "s", None, self._ask_silence)

    def _asking(self, asking: Asking, verb: Verb) -> None:
        test = asking.test
        name = upper_first(action_words(test.action))
        does = (
            t("Asks the device to test itself; the answer confirms the fault or speaks against it.")
            if verb is Verb.PROBE
            else t("Tells the device to try it; the rules then say whether the fault is gone.")
        )

        async def ask() -> None:
            if await self._hands.say([self._case], verb, action=test.action):
                self._hands.toasts.say(t("The device was asked: {action}.", action=name))

        told = " ".join(part for part in (fault_title(test.text), does) if part)
        self._row(name, "", told, asking.why_not, ask)

    def _row(self, words: str, key: str, does: str, why_not: str | None, act: Act) -> None:
        with box("div", "act"):
            self._small(words, key, why_not, act)
            text("p", does if why_not is None else t("Not now: {why}.", why=why_not), "quiet")

    def _small(self, words: str, key: str, why_not: str | None, act: Act) -> None:
        button = press(words, "action")
        if why_not is not None:
            button.props["disabled"] = ""
            button.props["title"] = why_not
        elif key:
            button.props["data-shortcut"] = key
        if key:
            with button:
                text("kbd", key).props["aria-hidden"] = "true"

        async def pressed() -> None:
            with self._place:  # the button itself may be drawn anew meanwhile
                await act()

        button.on("click", pressed)

    def _dialog(
        self, title: str, fields: Sequence[Field], send: Callable[[Values], Awaitable[None]]
    ) -> Dialog:
        return Dialog(title, title, fields, send)

    async def _acknowledge(self) -> None:
        await self._hands.acknowledge([self._case])

    async def _assign(self) -> None:
        await self._hands.assign([self._case])

    async def _reopen(self) -> None:
        await self._hands.say([self._case], Verb.REOPEN)

    async def _ask_confirm(self) -> None:
        self._confirm.ask(confirm_words(self._case))

    async def _send_confirm(self, values: Values) -> None:
        if await self._hands.say([self._case], Verb.CONFIRM, note=values["note"]):
            self._hands.toasts.say(t("Confirmed."))

    async def _ask_dismiss(self) -> None:
        self._dismissal.ask(dismissal_words([self._case]))

    async def _send_dismiss(self, values: Values) -> None:
        await self._hands.dismiss([self._case], values["note"])

    async def _ask_comment(self) -> None:
        self._comment.ask(t("Is kept with the case, with your name."))

    async def _send_comment(self, values: Values) -> None:
        await self._hands.say([self._case], Verb.COMMENT, note=values["note"])

    async def _ask_silence(self) -> None:
        self._silence.ask(silence_words())

    async def _send_silence(self, values: Values) -> None:
        await self._hands.silence([self._case], values)


def confirm_words(case: Case) -> str:
    """Return what it means to confirm a case."""
    if case.order_id is not None and not case.has_open_order:
        return t("Opens order {order} again and sends it to the repairer.", order=case.order_id)
    return t("Opens an order and sends it to the repairer who serves this device.")


def _note(*, required: bool = False) -> Field:
    return Field("note", t("Remark"), hint=t("is kept with the case"), required=required)
