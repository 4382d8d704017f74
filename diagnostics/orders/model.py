"""The service order in the contract's shape (section 5); states are TMF621's."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.model import Severity


class OrderState(StrEnum):
    """States of a trouble ticket, TMF621."""

    SUBMITTED = "submitted"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "inProgress"
    PENDING = "pending"
    HELD = "held"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


#: Fields of `missing` about which nobody who handles the order can be asked; they concern every order alike.
NOT_TO_ASK = frozenset({"diagnosis.confidence", "fault.iris", "fault.iris.condition", "fault.iris.symptom"})

#: An order in one of these is over; every other one is open.
ENDED_ORDER_STATES = frozenset(
    {OrderState.RESOLVED, OrderState.CLOSED, OrderState.CANCELLED, OrderState.REJECTED}
)


class Section(BaseModel):
    """A part of the order. Instants are RFC 3339, dates ISO 8601, money in the estimate's currency."""

    model_config = ConfigDict(populate_by_name=True)


class FaultyPart(Section):
    """The faulty component's own names, as the device told them."""

    model: str | None
    serial: str | None
    firmware: str | None


class OrderDevice(Section):
    """What is broken: the device, and in `part` its faulty component where the device told its names."""

    device_class: str = Field(alias="class")
    device: str
    component: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    parent: str | None
    part: FaultyPart | None = None


class Iris(Section):
    """International Repair Information System codes of condition and symptom."""

    condition: str | None
    symptom: str | None


class OrderFault(Section):
    """Which fault, in the words of the fault catalogue. `danger`: someone or something can come to harm."""

    code: str
    title: str
    severity: Severity
    symptom: str | None
    iris: Iris | None
    danger: bool = False


class Cause(Section):
    """A possible cause and how likely it is, 0 to 1."""

    cause: str
    probability: float | None


class OrderEvidence(Section):
    """A value that spoke for the fault."""

    rule: str
    signal: str
    at: str
    value: float | bool | str | None
    limit: float | bool | str | None


class OrderProbe(Section):
    """A self test that was run and what it said."""

    action: str
    state: str
    at: str


class OrderRemedy(Section):
    """What the owner or the device can do before anyone travels."""

    action: str
    state: str


class Diagnosis(Section):
    """Why the order exists."""

    confidence: float | None
    causes: list[Cause]
    explanation: str
    evidence: list[OrderEvidence]
    probes: list[OrderProbe]
    remedies: list[OrderRemedy]


class Customer(Section):
    """Whose device it is."""

    owner: str | None
    contact: str | None
    language: str | None
    time_zone: str | None


class Site(Section):
    """Where the device stands."""

    address: str | None
    country: str | None


class Entitlement(Section):
    """Who owes the repair."""

    status: Literal["in_warranty", "contract", "out_of_warranty", "unknown"]
    coverage: str | None
    ends: str | None
    contract: str | None


class Provider(Section):
    """An authorised repairer."""

    id: str
    name: str


class Service(Section):
    """How, by whom and until when. Urgency: U1 at once or safety, U2 within two days, U3 planned."""

    channel: Literal["on_site", "carry_in", "mail_in", "parts_only", "remote"] | None
    provider: Provider | None
    skills: list[str]
    minutes: int | None
    respond_by: str | None
    resolve_by: str | None
    urgency: Literal["U1", "U2", "U3"] | None = None


class OrderPart(Section):
    """A spare part and the warehouse that has it."""

    part: str
    title: str
    quantity: int
    warehouse: str | None
    in_stock: bool | None


class Leg(Section):
    """One way of a shipment."""

    origin: str | None = Field(alias="from")
    to: str | None


class Return(Section):
    """Whether and where the faulty part goes back."""

    required: bool
    to: str | None


class Customs(Section):
    """What a shipment across a customs border must say; `value` in `currency`, `weight_kg` with packing."""

    tariff_number: str | None
    origin_country: str | None
    value: float | None
    currency: str | None = None
    weight_kg: float | None = None


class Logistics(Section):
    """Both ways of the part, and the way of the device where it is brought or mailed to the repairer."""

    outbound: Leg | None
    return_leg: Return | None = Field(alias="return")
    customs: Customs | None
    device: Leg | None = None


class Share(Section):
    """What one of several pays: `of` names parts, ``part NUMBER``, labour, transport; `amount` is the sum."""

    payer: Literal["brand", "customer", "contract"]
    of: list[str]
    amount: float | None


class Estimate(Section):
    """What it will cost, and who pays.

    When several pay, `shares` says who pays what, and `payer` is the customer where they pay a part of it:
    they are to be asked first.
    """

    currency: str | None
    parts: float | None
    labour: float | None
    transport: float | None
    payer: Literal["brand", "customer", "contract"] | None
    shares: list[Share] = []

    @property
    def payers(self) -> str | None:
        """Who pays, and what each of several; None when it is not known."""
        if not self.shares:
            return self.payer
        return "; ".join(f"{share.payer}: {', '.join(share.of)}" for share in self.shares)


class Missing(Section):
    """A field that could not be filled in, and why. It never holds a guess."""

    field: str
    why: str


class Choice(Section):
    """Why a field that was filled in holds what it holds, or what about it is in doubt."""

    field: str
    why: str


class Texts(Section):
    """What is written to the customer and to the technician, in the language of the BCP 47 tag."""

    language: str
    customer: str
    technician: str


class Links(Section):
    """Where to look further."""

    console: str | None


class ServiceOrder(Section):
    """A pre-filled service order."""

    order_id: str
    tenant: str
    state: OrderState
    opened_at: str
    case_id: str
    reason: str
    device: OrderDevice
    fault: OrderFault
    diagnosis: Diagnosis
    customer: Customer
    site: Site
    entitlement: Entitlement
    service: Service
    parts: list[OrderPart]
    logistics: Logistics
    estimate: Estimate
    missing: list[Missing]
    choices: list[Choice] = []
    texts: Texts | None = None
    links: Links

    @property
    def is_open(self) -> bool:
        """Whether the order is still to be done."""
        return self.state not in ENDED_ORDER_STATES

    @property
    def to_ask(self) -> list[Missing]:
        """What is missing and someone can be asked: `missing` without `NOT_TO_ASK`."""
        return [entry for entry in self.missing if entry.field not in NOT_TO_ASK]

    def graded(self, severity: Severity) -> "ServiceOrder":
        """Return the order with another severity of its fault."""
        return self.model_copy(update={"fault": self.fault.model_copy(update={"severity": severity})})

    def document(self) -> dict[str, object]:
        """Return the order as the JSON document of the contract."""
        return self.model_dump(mode="json", by_alias=True)
