"""Names to small integers and back, so that batches are columns of numbers."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class DeviceId(NamedTuple):
    """What a device is called: the three middle levels of its topic."""

    tenant: str
    device_class: str
    device: str

    def __str__(self) -> str:
        """Return ``tenant/class/device``, as the command line and the API spell it."""
        return f"{self.tenant}/{self.device_class}/{self.device}"


class Channel(NamedTuple):
    """A signal of one component: ``disk.pending_sectors@sda``; component ``""`` is the device itself."""

    signal: str
    component: str

    @classmethod
    def parse(cls, key: str) -> "Channel":
        """Split a key of a telemetry message at its first ``@``."""
        signal, _, component = key.partition("@")
        return cls(signal, component)

    def __str__(self) -> str:
        """Return the key as devices spell it."""
        return f"{self.signal}@{self.component}" if self.component else self.signal


class Interner(Generic[T]):
    """Gives each distinct value the next integer from 0 and never takes one back."""

    def __init__(self) -> None:
        self.index: dict[T, int] = {}
        self.names: list[T] = []

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> T:
        return self.names[number]

    def intern(self, value: T) -> int:
        """Return the number of a value, a new one when it was never seen."""
        number = self.index.get(value)
        if number is None:
            number = self.index[value] = len(self.names)
            self.names.append(value)
        return number


class Symbols:
    """The tables that one engine and those who feed it share."""

    def __init__(self) -> None:
        self.devices: Interner[DeviceId] = Interner()
        self.channels: Interner[Channel] = Interner()
        self.texts: Interner[str] = Interner()
        self.components: Interner[str] = Interner()
        self._channel_of_key: dict[str, int] = {}

    def channel(self, key: str) -> int:
        """Return the number of the channel that a telemetry key names."""
        number = self._channel_of_key.get(key)
        if number is None:
            number = self._channel_of_key[key] = self.channels.intern(Channel.parse(key))
        return number
