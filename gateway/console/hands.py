"""What a reader does with cases from a page: said to the gateway, shown as a note, and taken back."""

import asyncio
from collections.abc import Sequence

from nicegui import background_tasks, context

from diagnostics.case import Case
from diagnostics.instruction import Verb
from diagnostics.silences import SilenceMatch
from gateway.console.actions import Actions, NotDoneError
from gateway.console.dialogs import Field, Values
from gateway.console.frame import Desk
from gateway.console.language import msg, t
from gateway.console.live import Live
from gateway.console.toasts import Toasts
from rules.times import parse_duration

#: Seconds before a dismissal is sent: it may cancel an order at the repairer's, which nothing takes back.
GRACE = 6.0

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


def silence_words() -> str:
    """Return what it means to silence."""
    return t("What is silenced is watched, and no order is opened for it until the silence ends.")


class Hands:
    """Does what the reader of one page wants done.

    Attributes:
        actions: what it is done by.
        toasts: where it is noted.
        leaving: cases that are being dismissed and can still be kept.
    """

    def __init__(self, desk: Desk, live: Live) -> None:
        self.actions = Actions(desk.caller, desk.instructed, desk.queries.trail)
        self.toasts = Toasts()
        self.leaving: set[str] = set()
        self._desk = desk
        self._live = live

    async def acknowledge(self, cases: Sequence[Case]) -> None:
        """Say that they were seen."""
        done = await self.say(cases, Verb.ACKNOWLEDGE)

        async def back() -> None:
            await self.say(done, Verb.UNACKNOWLEDGE)

        if done:
            self.toasts.say(t("{number} acknowledged.", number=len(done)), undo=back)

    async def assign(self, cases: Sequence[Case]) -> None:
        """Give them to the reader."""
        done = await self.say(cases, Verb.ASSIGN, assignee=self.actions.who)

        async def back() -> None:
            for before in {case.assignee for case in done}:
                theirs = [case for case in done if case.assignee == before]
                await self.say(theirs, Verb.ASSIGN, assignee=before)

        if done:
            self.toasts.say(t("{number} assigned to you.", number=len(done)), undo=back)

    async def dismiss(self, cases: Sequence[Case], note: str) -> None:
        """End them after a while in which that can be taken back."""
        names = {case.case_id for case in cases}
        kept = asyncio.Event()
        page = context.client

        async def send() -> None:
            try:
                async with asyncio.timeout(GRACE):
                    await kept.wait()
            except TimeoutError:
                with page:  # in its language, also when its reader has left
                    await self.say(cases, Verb.DISMISS, note=note)
            self.leaving -= names
            await self._live.look()

        async def back() -> None:
            kept.set()

        self.leaving |= names
        background_tasks.create(send(), name="dismiss")
        self.toasts.say(t("{number} dismissed.", number=len(cases)), undo=back, seconds=GRACE)
        await self._live.look()

    async def silence(self, cases: Sequence[Case], values: Values) -> None:
        """Silence what they are about, as the fields of `silence_fields` say."""
        starts = self._desk.queries.now()
        try:
            refused = await self.actions.silence(
                cases,
                [silence_match(case, values["scope"]) for case in cases],
                starts=starts,
                ends=starts + parse_duration(values["span"]),
                note=values["note"],
            )
        except NotDoneError as error:
            self.toasts.say(str(error), bad=True)
            return
        self._tell_refused(refused)
        if done := refused.count(None):
            self.toasts.say(t("{number} silenced.", number=done))
        await self._live.look()

    async def say(
        self,
        cases: Sequence[Case],
        verb: Verb,
        *,
        note: str = "",
        assignee: str | None = None,
        action: str = "",
    ) -> list[Case]:
        """Say the same of cases and show what was refused; returns those of which it was done."""
        try:
            refused = await self.actions.say(cases, verb, note=note, assignee=assignee, action=action)
        except NotDoneError as error:
            self.toasts.say(str(error), bad=True)
            return []
        self._tell_refused(refused)
        await self._live.look()
        return [case for case, why in zip(cases, refused, strict=True) if why is None]

    def _tell_refused(self, refused: Sequence[str | None]) -> None:
        reasons = [why for why in refused if why is not None]
        if reasons:
            said = t("{number} not done: {why}", number=len(reasons), why=reasons[0])
            self.toasts.say(said, bad=True)
