"""Which model stands behind a kind of device."""

from collections.abc import Callable

from simulators.appliance import APPLIANCES
from simulators.device import Device, Identity
from simulators.faults import DeviceKind
from simulators.pc import Pc
from simulators.phone import Phone
from simulators.server import Server

#: Kind of device -> its model, made of an identity and the device time at which it starts.
MODELS: dict[DeviceKind, Callable[[Identity, int], Device]] = {
    "phone": Phone,
    "pc": Pc,
    "server": Server,
    "washer": APPLIANCES["washer"],
    "fridge": APPLIANCES["fridge"],
}

#: The contract's class of each kind.
CLASS_OF: dict[DeviceKind, str] = {
    "phone": "phone",
    "pc": "pc",
    "server": "server",
    "washer": "appliance",
    "fridge": "appliance",
}
