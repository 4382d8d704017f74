"""The buttons of an order: what its state lets an engineer do with it, and the dialogs that ask first."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from diagnostics.case import Case
from diagnostics.orders.changes import PartUsed
from diagnostics.orders.filling import JsonValue
from diagnostics.orders.lifecycle import Actor, OrderOutcome, possible
from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.console.actions import NotDoneError
from gateway.console.dialogs import Dialog, Field, Values
from gateway.console.language import msg, t
from gateway.console.live import Live
from gateway.console.orderactions import OrderActions, parts_used_of
from gateway.console.parts import box, press, text
from gateway.console.toasts import Toasts
from gateway.console.words import state_words, words_of

#: What leads to a state, in the order of the buttons; the first that is possible is the next step.
STEPS: dict[OrderState, str] = {
    OrderState.ACKNOWLEDGED: msg("Acknowledge"),
    OrderState.IN_PROGRESS: msg("In progress"),
    OrderState.RESOLVED: msg("Resolved"),
    OrderState.PENDING: msg("Pending…"),
    OrderState.HELD: msg("Held…"),
    OrderState.REJECTED: msg("Reject…"),
    OrderState.CANCELLED: msg("Cancel…"),
}
#: States that want a reason.
WITH_NOTE = (OrderState.PENDING, OrderState.HELD, OrderState.REJECTED, OrderState.CANCELLED)
OUTCOMES = (OrderOutcome.REPAIRED, OrderOutcome.NO_FAULT_FOUND, OrderOutcome.OTHER_FAULT)

_SEND = """(event) => {
  event.preventDefault();
  emit(Object.fromEntries(new FormData(event.target)));
  event.target.closest("dialog").close();
}"""


class OrderBar:
    """The buttons of one open page. Viewers see none, and why.

    Args:
        container: to put them in.
        actions: the reader's.
        tenant: the order's.
        live: is looked at again after each act.
        case: asks for the order's case.
    """

    def __init__(
        self,
        container: Element,
        actions: OrderActions,
        tenant: str,
        live: Live,
        case: Callable[[], Awaitable[Case | None]],
    ) -> None:
        self._actions, self._live, self._case = actions, live, case
        self.may_act = actions.may(tenant)
        self._order: ServiceOrder | None = None
        self._wanted: OrderState | None = None
        self._shown: tuple[object, ...] = ()
        self._toasts = Toasts()
        with container:
            if not self.may_act:
                text("p", t("You may look. To act on orders takes the role engineer."), "hint")
                return
            self._bar = box("div", "acts").props("role=toolbar")
            self._bar.props["aria-label"] = t("Do with the order")
            self._place = box("div")
        with self._place:
            why = Field("note", t("Why"), required=True)
            self._reason = Dialog(t("Why"), t("Set"), [why], self._set_with_reason)
            self._closing = box("dialog", "dialog")
            self._closing.props["aria-label"] = t("Close the order")

    def show(self, order: ServiceOrder) -> None:
        """Offer what is possible with an order as it stands."""
        self._order = order
        if not self.may_act:
            return
        shown = (order.state, tuple(part.part for part in order.parts))
        if shown == self._shown:
            return
        self._shown = shown
        states = possible(order.state, Actor.ENGINEER)
        self._bar.clear()
        with self._bar:
            offered = [state for state in STEPS if state in states]
            for number, state in enumerate(offered):
                self._step(state, primary=number == 0 and state not in WITH_NOTE)
            if OrderState.CLOSED in states:
                press(t("Close…"), "action").on("click", self._ask_close)
        self._bar.set_visibility(bool(states) and states != [OrderState.SUBMITTED])
        self._closing.clear()
        if OrderState.CLOSED in states:
            with self._closing:
                self._closing_form(order)

    async def fill(self, field: str, value: JsonValue) -> str | None:
        """Fill in a field; returns why it was refused, None when it was done."""
        order, case = self._order, await self._case()
        if order is None or case is None:
            return t("The case of this order is not there.")
        try:
            refused = await self._actions.fill(order, case, {field: value})
        except NotDoneError as error:
            return str(error)
        if refused is None:
            self._toasts.say(t("Filled in."))
            await self._live.look()
        return refused

    def _step(self, state: OrderState, *, primary: bool) -> None:
        button = press(t(STEPS[state]), "primary" if primary else "action")
        if state is OrderState.ACKNOWLEDGED:
            button.props["data-shortcut"] = "a"
            with button:
                text("kbd", "a").props["aria-hidden"] = "true"

        async def pressed() -> None:
            if state in WITH_NOTE:
                self._wanted = state
                self._reason.ask(
                    t("The order becomes {state}; the repairer is told.", state=t(state_words(state.value))),
                    title=t(STEPS[state]).removesuffix("…"),
                )
            else:
                await self._set(state, "")

        button.on("click", pressed)

    async def _set_with_reason(self, values: Values) -> None:
        assert self._wanted is not None
        await self._set(self._wanted, values["note"])

    async def _set(self, state: OrderState, note: str) -> None:
        async def act(order: ServiceOrder, case: Case) -> str | None:
            return await self._actions.set_state(order, case, state, note)

        await self._do(act, t("The order is {state}.", state=t(state_words(state.value))))

    def _ask_close(self) -> None:
        ui.run_javascript(f"getElement({self._closing.id}).showModal()")

    def _closing_form(self, order: ServiceOrder) -> None:
        with box("form", "form") as form:
            text("h2", t("Close the order"))
            with box("label", "field"):
                text("span", t("What it came to"))
                with box("select").props("name=outcome required"):
                    for outcome in OUTCOMES:
                        text("option", t(words_of(outcome.value))).props["value"] = outcome.value
            if order.parts:
                with box("fieldset", "used"):
                    text("legend", t("Parts that were built in"))
                    for number, part in enumerate(order.parts):
                        with box("label", "used-part"):
                            text("span", part.title)
                            text("span", part.part, "code")
                            quantity = box("input").props("type=number min=0 max=1000 required")
                            quantity.props["name"] = f"used-{number}"
                            quantity.props["^value"] = str(
                                part.quantity
                            )  # the attribute: what is typed stays
            with box("label", "field"):
                text("span", t("Other parts"))
                other = box("input").props("name=other maxlength=1000 autocomplete=off")
                other.props["placeholder"] = "2 x FAN-7, CLAMP"
            with box("label", "field"):
                text("span", t("What was found"))
                box("textarea").props("name=note rows=3 maxlength=4000")
            with box("div", "dialog-end"):
                press(t("Back"), "plain", "(event) => event.currentTarget.closest('dialog').close()")
                press(t("Close the order"), "primary").props["type"] = "submit"
        form.on("submit", self._close, js_handler=_SEND)

    async def _close(self, event: GenericEventArguments) -> None:
        assert self._order is not None
        values = {str(name): str(value).strip() for name, value in event.args.items()}
        planned = [
            PartUsed(part=part.part, quantity=int(used))
            for number, part in enumerate(self._order.parts)
            if (used := values.get(f"used-{number}", "")).isdecimal() and 1 <= int(used) <= 1_000
        ]
        try:
            parts = planned + parts_used_of(values.get("other", ""))
            outcome = OrderOutcome(values["outcome"])
        except NotDoneError as error:
            self._toasts.say(str(error), bad=True)
            return

        async def act(order: ServiceOrder, case: Case) -> str | None:
            return await self._actions.close(order, case, outcome, parts, values.get("note", ""))

        await self._do(act, t("The order is closed: {outcome}.", outcome=t(words_of(outcome.value))))

    async def _do(self, act: Callable[[ServiceOrder, Case], Awaitable[str | None]], done: str) -> None:
        order, case = self._order, await self._case()
        if order is None or case is None:
            self._toasts.say(t("The case of this order is not there."), bad=True)
            return
        try:
            refused = await act(order, case)
        except NotDoneError as error:
            refused = str(error)
        self._toasts.say(refused or done, bad=refused is not None)
        await self._live.look()
