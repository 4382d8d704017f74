"""What is broken: the device's own words, then the registry; where the two disagree the order says so."""

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostics.case import Case
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import FaultyPart, OrderDevice
from diagnostics.orders.registry import DeviceEntry, Registry
from rules.symbols import DeviceId

NOT_REGISTERED = "the device is not in the registry"

#: Longer texts are not names of anything; a device that sends one has said nothing.
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device or a component says that it is, or is said to be."""

    model: str | None
    serial: str | None
    firmware: str | None

    @classmethod
    def told(cls, facts: object) -> "Identity":
        """Read what a device said of itself or of a component; anything unusable counts as not said."""
        said = facts if isinstance(facts, Mapping) else {}
        return cls(*(usable_name(said.get(key)) for key in ("model", "serial", "firmware")))

    def __bool__(self) -> bool:
        return any((self.model, self.serial))


@dataclass(frozen=True, slots=True)
class Subject:
    """What an order is about.

    Attributes:
        entry: the registry's entry, None when it has none.
        model: the device's.
        component_model: the faulty component's own, where it told one.
    """

    id: DeviceId
    entry: DeviceEntry | None
    model: str | None
    component_model: str | None
    section: OrderDevice

    @property
    def models(self) -> tuple[str | None, ...]:
        """The models that a part may be made for: the component's own, then the device's."""
        return (self.component_model, self.model)


def usable_name(value: object) -> str | None:
    """Return a name that a device told, None when it is of no use.

    A name is a text or a whole number, not empty, not endless and printable.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 10**LONGEST_NAME:
        return None
    text = str(value).strip()
    return text if 0 < len(text) <= LONGEST_NAME and text.isprintable() else None


def identify(
    case: Case, facts: Mapping[str, object], registry: Registry, *, returns: bool, gaps: Gaps
) -> Subject:
    """Return what a case is about.

    Args:
        case: names device and component.
        facts: what the device said of itself, any JSON.
        registry: for what the device did not say.
        returns: whether the faulty part must come back, which takes its own serial number.
        gaps: where unknown and contradictory names are noted.
    """
    device = DeviceId(case.tenant, case.device_class, case.device)
    entry = registry.devices.get(device)
    told = Identity.told(facts)
    stated = Identity(
        told.model or (entry.model if entry else None),
        told.serial or (entry.serial if entry else None),
        told.firmware or (entry.firmware if entry else None),
    )
    _note_contradictions(told, entry, gaps)
    component = _component(facts, case.component) if case.component else Identity(None, None, None)
    for name in ("model", "serial", "firmware"):
        why = "the device did not say it and the registry does not have it"
        gaps.require(f"device.{name}", getattr(stated, name), why)
    if case.component and returns and not component.serial:
        gaps.add("device.part.serial", f"the device did not say the serial number of {case.component}")
    section = OrderDevice.model_validate(
        {
            "class": case.device_class,
            "device": case.device,
            "component": case.component or None,
            "model": stated.model,
            "serial": stated.serial,
            "firmware": stated.firmware,
            "parent": usable_name(facts.get("parent")) or (entry.parent if entry else None),
            "part": FaultyPart(model=component.model, serial=component.serial, firmware=component.firmware)
            if component
            else None,
        }
    )
    return Subject(device, entry, stated.model, component.model, section)


def _component(facts: Mapping[str, object], component: str) -> Identity:
    components = facts.get("components")
    return Identity.told(components.get(component) if isinstance(components, Mapping) else None)


def _note_contradictions(told: Identity, entry: DeviceEntry | None, gaps: Gaps) -> None:
    """Note where device and registry disagree: then warranty and owner may be another device's."""
    if entry is None:
        return
    for name, said, registered in (
        ("model", told.model, entry.model),
        ("serial", told.serial, entry.serial),
    ):
        if said and registered and said.casefold() != registered.strip().casefold():
            gaps.chose(
                f"device.{name}",
                f"the device says {said}, the registry {registered}: check owner and coverage",
            )
