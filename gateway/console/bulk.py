"""What is done with the cases that were chosen in the queue, and how it is taken back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nicegui import background_tasks, context
from nicegui.events import GenericEventArguments

from diagnostics.case import Case
from diagnostics.instruction import Verb
from diagnostics.silences import SilenceMatch
from gateway.console.actions import Actions, NotDoneError
from gateway.console.dialogs import Dialog, Field, Values
from gateway.console.frame import Desk
from gateway.console.language import msg, t
from gateway.console.live import Live
from gateway.console.parts import box, press, text
from gateway.console.toasts import Toasts
from rules.times import parse_duration

#: Seconds before a dismissal is sent: it may cancel an order at the repairer's, which nothing takes back.
GRACE = 6.0

#: Tells the server which rows are meant.
PICK = "(event) => emit(window.forewarn.picked(event))"

#: For how long to be silent.
SPANS = (("4h", msg("4 hours")), ("1d", msg("a day")), ("7d", msg("a week")), ("30d", msg("30 days")))

#: What to be silent about, by the names of a case that must fit.
SCOPES = (
    ("fault", msg("this fault on this device")),
    ("device", msg("everything on this device")),
)


def dismiss_field() -> Field:
    """Return the field for the reason of a dismissal."""
    return Field("note", t("Why there is no fault"), hint=t("is kept with the case"), required=True)


def silence_fields() -> list[Field]:
    """Return the fields of a silence."""
    return [
        Field("scope", t("What is silenced"), [(value, t(words)) for value, words in SCOPES]),
        Field("span", t("For how long"), [(value, t(words)) for value, words in SPANS]),
        Field("note", t("Why"), required=True),
    ]


def silence_match(case: Case, scope: str) -> SilenceMatch:
    """Return what a silence at a case fits."""
    if scope == "device":
        return SilenceMatch(device_class=case.device_class, device=case.device)
    return SilenceMatch(
        device_class=case.device_class,
        device=case.device,
        component=case.component or None,
        fault=case.fault,
    )


def dismissal_words(cases: Sequence[Case]) -> str:
    """Return what it means to dismiss cases."""
    orders = [case.order_id or "" for case in cases if case.has_open_order]
    says = (
        t("Ends the case: there is no fault, and no order is opened.")
        if len(cases) == 1
        else t("Ends {number} cases: there is no fault, and no order is opened.", number=len(cases))
    )
    if len(orders) == 1:
        return f"{says} {t('Cancels order {order} at the repairer.', order=orders[0])}"
    if orders:
        return f"{says} {t('Cancels {number} open orders at the repairer.', number=len(orders))}"
    return says


class ActBar:
    """The buttons above the queue. Viewers see none, and why.

    Attributes:
        may_act: whether the reader may do anything.
        leaving: cases that are being dismissed and can still be kept.
    """

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live
        self._actions = Actions(desk.caller, desk.instructed)
        self.may_act = self._actions.may_anywhere()
        self.leaving: set[str] = set()
        self._picked: list[Case] = []
        self._toasts = Toasts()
        if not self.may_act:
            text("p", t("You may look. To act on cases takes the role engineer."), "hint")
            return
        with box("div", "acts").props("role=toolbar") as bar:
            bar.props["aria-label"] = t("Do with the chosen cases")
            self._count = text("span", "", "picked").props("aria-live=polite")
            self._button(t("Acknowledge"), "a", self._acknowledge)
            self._button(t("Assign to me"), "m", self._assign)
            self._button(t("Dismiss…"), "d", self._ask_dismiss)
            self._button(t("Silence…"), "s", self._ask_silence)
        self._dismissal = Dialog(t("Dismiss"), t("Dismiss"), [dismiss_field()], self._dismiss)
        self._silence = Dialog(t("Silence"), t("Silence"), silence_fields(), self._begin_silence)

    def selected(self, keys: list[str]) -> None:
        """Be told which rows are selected."""
        self._count.set_text(t("{number} selected", number=len(keys)) if keys else "")

    def _button(self, words: str, key: str, act: Callable[[Sequence[Case]], Awaitable[None]]) -> None:
        async def pressed(event: GenericEventArguments) -> None:
            cases = await asyncio.to_thread(self._desk.queries.cases_of, [str(one) for one in event.args])
            if not cases:
                self._toasts.say(t("Choose cases first: x selects one, j and k walk through them."))
                return
            await act(cases)

        button = press(words, "action")
        button.props["data-shortcut"] = key
        with button:
            text("kbd", key).props["aria-hidden"] = "true"
        button.on("click", pressed, js_handler=PICK)

    async def _acknowledge(self, cases: Sequence[Case]) -> None:
        done = await self._say(cases, Verb.ACKNOWLEDGE)

        async def back() -> None:
            await self._say(done, Verb.UNACKNOWLEDGE)

        if done:
            self._toasts.say(t("{number} acknowledged.", number=len(done)), undo=back)

    async def _assign(self, cases: Sequence[Case]) -> None:
        me = self._actions.who
        done = await self._say(cases, Verb.ASSIGN, assignee=me)

        async def back() -> None:
            for before in {case.assignee for case in done}:
                theirs = [case for case in done if case.assignee == before]
                await self._say(theirs, Verb.ASSIGN, assignee=before)

        if done:
            self._toasts.say(t("{number} assigned to you.", number=len(done)), undo=back)

    async def _ask_dismiss(self, cases: Sequence[Case]) -> None:
        self._picked = list(cases)
        self._dismissal.ask(dismissal_words(cases))

    async def _dismiss(self, values: Values) -> None:
        cases, note = self._picked, values["note"]
        names = {case.case_id for case in cases}
        kept = asyncio.Event()
        page = context.client

        async def send() -> None:
            try:
                await asyncio.wait_for(kept.wait(), GRACE)
            except TimeoutError:
                with page:  # in its language, also when its reader has left
                    await self._say(cases, Verb.DISMISS, note=note)
            self.leaving -= names
            await self._live.look()

        async def back() -> None:
            kept.set()

        self.leaving |= names
        background_tasks.create(send(), name="dismiss")
        self._toasts.say(t("{number} dismissed.", number=len(cases)), undo=back, seconds=GRACE)
        await self._live.look()

    async def _ask_silence(self, cases: Sequence[Case]) -> None:
        self._picked = list(cases)
        self._silence.ask(
            t("What is silenced is watched, and no order is opened for it until the silence ends.")
        )

    async def _begin_silence(self, values: Values) -> None:
        cases = self._picked
        starts = self._desk.queries.now()
        matches = [silence_match(case, values["scope"]) for case in cases]
        try:
            refused = await self._actions.silence(
                cases,
                matches,
                starts=starts,
                ends=starts + parse_duration(values["span"]),
                note=values["note"],
            )
        except NotDoneError as error:
            self._toasts.say(str(error), bad=True)
            return
        self._tell_refused(refused)
        done = refused.count(None)
        if done:
            self._toasts.say(t("{number} silenced.", number=done))
        await self._live.look()

    async def _say(
        self, cases: Sequence[Case], verb: Verb, *, note: str = "", assignee: str | None = None
    ) -> list[Case]:
        """Say the same of cases and show what became of it; returns those of which it was done."""
        try:
            refused = await self._actions.say(cases, verb, note=note, assignee=assignee)
        except NotDoneError as error:
            self._toasts.say(str(error), bad=True)
            return []
        self._tell_refused(refused)
        await self._live.look()
        return [case for case, why in zip(cases, refused, strict=True) if why is None]

    def _tell_refused(self, refused: Sequence[str | None]) -> None:
        reasons = [why for why in refused if why is not None]
        if reasons:
            said = t("{number} not done: {why}", number=len(reasons), why=reasons[0])
            self._toasts.say(said, bad=True)
