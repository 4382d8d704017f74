"""Places to fill in what an order does not know: one small form a field, sent by itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

from diagnostics.orders.filling import FIELDS, JsonValue, has_place
from diagnostics.orders.model import ServiceOrder
from gateway.console.language import t
from gateway.console.parts import box, press, text
from gateway.console.words import upper_first, words_of

Values = Mapping[str, str]
Fill = Callable[[str, JsonValue], Awaitable[str | None]]

_SEND = "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"

CHANNELS = ("on_site", "carry_in", "mail_in", "parts_only", "remote")
PAYERS = ("brand", "customer", "contract")
AMOUNTS = (
    *("estimate.parts", "estimate.labour", "estimate.transport"),
    *("logistics.customs.value", "logistics.customs.weight_kg"),
)
ENTITLED = ("in_warranty", "contract", "out_of_warranty")


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a form.

    Attributes:
        kind: of the HTML input.
        options: makes it a choice.
        hint: stands there while it is empty.
        required: the form is not sent without.
    """

    name: str = "value"
    label: str = ""
    kind: str = "text"
    options: Sequence[str] = ()
    hint: str = ""
    required: bool = True
    value: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """The inputs of a field, the field that is filled in, and what their values make of it."""

    inputs: Sequence[Input]
    field: str
    value: Callable[[Values], JsonValue]


def form_of(order: ServiceOrder, field: str) -> Form | None:
    """Return the form of a field of `missing`; None where nobody can fill it in.

    A field of one part, such as ``parts[0].warehouse``, is filled in with all parts.
    """
    if field.startswith("parts[") and order.parts:
        return _part_form(order, field)
    if field not in FIELDS or not has_place(order, field):
        return None
    made = _forms(order).get(field)
    return made or Form([Input(hint=_HINTS.get(field, ""))], field, lambda values: values["value"])


#: What a value looks like, by field.
_HINTS = {
    "customer.language": "de",
    "customer.time_zone": "Europe/Berlin",
    "site.country": "DE",
    "estimate.currency": "EUR",
    "logistics.customs.origin_country": "DE",
    "logistics.customs.currency": "EUR",
    "logistics.customs.tariff_number": "8414.59",
}


def _forms(order: ServiceOrder) -> dict[str, Form]:
    forms = {
        "entitlement": Form(
            [
                Input("status", t("Status"), options=ENTITLED),
                Input("coverage", t("Coverage"), required=False),
                Input("ends", t("Ends"), "date", required=False),
                Input("contract", t("Contract"), required=False),
            ],
            "entitlement",
            lambda values: {
                name: values.get(name) or None for name in ("status", "coverage", "ends", "contract")
            },
        ),
        "service.provider": Form(
            [Input("id", t("Number")), Input("name", t("Name"))],
            "service.provider",
            _as_they_are("id", "name"),
        ),
        "parts": Form(
            [
                Input("part", t("Part number")),
                Input("title", t("Title"), required=False),
                Input("quantity", t("Quantity"), "number", value="1"),
                Input("warehouse", t("Warehouse"), required=False),
            ],
            "parts",
            lambda values: [*_parts(order), _new_part(values)],
        ),
        "logistics.outbound": Form(
            [Input("from", t("From")), Input("to", t("To"))], "logistics.outbound", _as_they_are("from", "to")
        ),
        "logistics.customs": Form(
            [
                Input("tariff_number", t("Tariff number"), hint="8414.59"),
                Input("origin_country", t("Country of origin"), hint="DE"),
                Input("value", t("Value"), "number"),
                Input("currency", t("Currency"), hint="EUR"),
                Input("weight_kg", t("Weight, kg"), "number"),
            ],
            "logistics.customs",
            _customs,
        ),
    }
    for field, options in (("service.channel", CHANNELS), ("estimate.payer", PAYERS)):
        forms[field] = Form([Input(options=options)], field, lambda values: values["value"])
    for field in ("service.respond_by", "service.resolve_by"):
        forms[field] = Form(
            [Input(kind="datetime-local", label=t("UTC"))], field, lambda values: f"{values['value']}Z"
        )
    forms["service.minutes"] = Form(
        [Input(kind="number")], "service.minutes", lambda values: _whole(values["value"])
    )
    for field in AMOUNTS:
        forms[field] = Form([Input(kind="number")], field, lambda values: _number(values["value"]))
    return forms


def _part_form(order: ServiceOrder, field: str) -> Form | None:
    index, _, name = field.removeprefix("parts[").partition("].")
    if (
        not index.isdecimal()
        or int(index) >= len(order.parts)
        or name not in ("warehouse", "in_stock", "title")
    ):
        return None
    number = int(index)

    def value(values: Values) -> JsonValue:
        parts = _parts(order)
        said = values["value"]
        parts[number][name] = said == "yes" if name == "in_stock" else said
        return list(parts)

    given = Input(options=("yes", "no")) if name == "in_stock" else Input()
    return Form([given], "parts", value)


def _parts(order: ServiceOrder) -> list[dict[str, JsonValue]]:
    return [part.model_dump(mode="json") for part in order.parts]


def _new_part(values: Values) -> dict[str, JsonValue]:
    return {
        "part": values["part"],
        "title": values.get("title") or None,
        "quantity": _whole(values["quantity"]),
        "warehouse": values.get("warehouse") or None,
    }


def _customs(values: Values) -> JsonValue:
    said = {name: values[name] for name in ("tariff_number", "origin_country", "currency")}
    return {**said, "value": _number(values["value"]), "weight_kg": _number(values["weight_kg"])}


def _as_they_are(*names: str) -> Callable[[Values], JsonValue]:
    return lambda values: {name: values[name] for name in names}


def _whole(text: str) -> JsonValue:
    return int(text) if text.strip().isdecimal() else text


def _number(text: str) -> JsonValue:
    try:
        return float(text)
    except ValueError:
        return text


class Gaps:
    """The list of what is missing. A row stays as it is while it is there, so that typing is not disturbed.

    Args:
        container: to put it in.
        fill: is given a field and its value; returns why it was refused, None when it was done.
        may_fill: whether the reader may fill anything in.
    """

    def __init__(self, container: Element, fill: Fill, *, may_fill: bool) -> None:
        self._fill, self._may_fill = fill, may_fill
        self._rows: dict[str, Element] = {}
        self._order: ServiceOrder | None = None
        with container:
            self._outer = box("section", "missing")
            with self._outer:
                self._title = text("h2", "")
                self._list = box("ul", "gaps")
                self._more = box("details", "correct")
        self._more.set_visibility(False)
        self._offered: list[str] = []

    def show(self, order: ServiceOrder) -> None:
        """Show what an order does not know."""
        self._order = order
        wanted = {entry.field: entry.why for entry in order.missing}
        for field in [field for field in self._rows if field not in wanted]:
            self._rows.pop(field).delete()
        for field, why in wanted.items():
            if field not in self._rows:
                with self._list:
                    self._rows[field] = self._row(order, field, why)
        self._title.set_text(t("Still missing") if wanted else t("Nothing is missing"))
        urgent = bool(wanted) and order.is_open  # of an order that is over nobody waits for it
        self._outer.classes(replace="missing" if urgent else "missing complete")
        fields = (
            [field for field in FIELDS if has_place(order, field)] if order.is_open and self._may_fill else []
        )
        if fields != self._offered:
            self._offered = fields
            self._offer(fields)
        self._outer.set_visibility(bool(wanted or fields))

    def _row(self, order: ServiceOrder, field: str, why: str) -> Element:
        with box("li", "gap") as row:
            row.props["data-field"] = field
            with box("p"):
                text("b", field_words(field))
                text("span", f": {why}")
            if self._may_fill and order.is_open:
                self._form(order, field)
        return row

    def _form(self, order: ServiceOrder, field: str) -> None:
        form = form_of(order, field)
        if form is None:
            return
        with box("form", "gap-form") as outer:
            for given in form.inputs:
                _input(given, field_words(field))
            press(t("Fill in"), "action").props["type"] = "submit"
            trouble = text("p", "", "gap-trouble")
            trouble.props["role"] = "alert"
        outer.on("submit", self._sender(field, trouble), js_handler=_SEND)

    def _sender(self, field: str, trouble: TextElement) -> Callable[[GenericEventArguments], Awaitable[None]]:
        async def sent(event: GenericEventArguments) -> None:
            assert self._order is not None
            form = form_of(self._order, field)  # as the order stands now: its other parts may have changed
            if form is None:
                return
            values = {str(name): str(value).strip() for name, value in event.args.items()}
            refused = await self._fill(form.field, form.value(values))
            if not trouble.is_deleted:
                trouble.set_text(refused or "")

        return sent

    def _offer(self, fields: Sequence[str]) -> None:
        """Offer fields to be corrected that are not missing."""
        self._more.clear()
        with self._more:
            text("summary", t("Correct another field"))
            with box("label", "field"):
                text("span", t("Field"))
                with box("select") as select:
                    text("option", t("choose")).props["value"] = ""
                    for field in fields:
                        text("option", field_words(field)).props["value"] = field
            place = box("div", "correcting")

        def chosen(event: GenericEventArguments) -> None:
            place.clear()
            if str(event.args) in self._offered and self._order is not None:
                with place:
                    self._form(self._order, str(event.args))

        select.on("change", chosen, js_handler="(event) => emit(event.target.value)")
        self._more.set_visibility(bool(fields))


def _input(given: Input, field: str) -> None:
    with box("label", "field"):
        if given.label:
            text("span", given.label)
        if given.options:
            element = box("select")
            with element:
                for option in given.options:
                    text("option", t(words_of(option))).props["value"] = option
        else:
            element = box("input")
            element.props["type"] = given.kind
            element.props["placeholder"] = given.hint
            if given.value:
                element.props["^value"] = given.value  # the attribute: what is typed later stays
            element.props["maxlength"] = "500"
            element.props["autocomplete"] = "off"
            if given.kind == "number":
                element.props["step"] = "any"
                element.props["min"] = "0"
        element.props["name"] = given.name
        element.props["aria-label"] = f"{field}, {given.label}" if given.label else field
        if given.required:
            element.props["required"] = ""


def field_words(field: str) -> str:
    """Return a field of the order as words.

    >>> field_words("customer.contact")
    'Customer contact'
    """
    return upper_first(words_of(field))
