"""What stock agents send, one file an agent: ``profile = "collectd"`` in ``[[sources]]`` is enough."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Profile:
    """A source as it is shipped; each key as in ``[[sources]]``."""

    title: str = ""
    topics: tuple[str, ...] = ()
    codec: str = ""
    tenant: str = ""
    device_class: str = ""
    device: str = ""
    signals: dict[str, str] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the shipped profiles, in order."""
    files = resources.files("gateway.wire.profiles").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_profile(name: str) -> Profile:
    """Return a shipped profile."""
    text = resources.files("gateway.wire.profiles").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    table["device_class"] = table.pop("class")
    return Profile(**{**table, "topics": tuple(table["topics"])})
