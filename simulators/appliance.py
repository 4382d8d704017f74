"""The class ``appliance``: a device of it is a washer or a fridge, by its model."""

from simulators.fridge import Fridge
from simulators.washer import Washer

APPLIANCES = {"washer": Washer, "fridge": Fridge}

__all__ = ["APPLIANCES", "Fridge", "Washer"]
