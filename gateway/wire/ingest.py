"""What may be sent by HTTP, and the topics under which it then goes the way of every message.

A message that came by HTTP is a packet with the topic ``$ingest/NAME/TENANT/CLASS/DEVICE``. No one can send
such a topic by MQTT: the wildcards of our subscriptions take no topic that begins with ``$`` (MQTT 3.1.1,
4.7.2). NAME is a profile's or a codec's, or ``forewarn`` for a device's own telemetry; DEVICE is ``*`` where
the payload itself names the device.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.wire.codecs import CODECS
from gateway.wire.profiles import Profile, load_profile, profile_names
from gateway.wire.reasons import Unusable
from gateway.wire.sources import Source
from gateway.wire.topics import checked_device

INGEST = "$ingest"
OWN = "forewarn"
UNNAMED = "*"

_BY_TOPIC = re.compile(r"\{\d+\}")
_BY_PAYLOAD = re.compile(r"\{(?:device|payload:[^{}]+)\}")


class Offer(NamedTuple):
    """A format that may be sent by HTTP, and whose its messages are where the request does not say.

    Attributes:
        tenant: None where the request has to say, and so are `device_class` and `device`.
        device: ``*`` where the payload names it.
    """

    name: str
    tenant: str | None
    device_class: str | None
    device: str | None

    def topic(self, *, tenant: str | None, device_class: str | None, device: str | None) -> str:
        """Return the topic of a message; arguments that are None are as the format has them.

        Raises:
            UserError: what the request has to say and did not, or which name cannot be one.
        """
        said = {
            "tenant": tenant or self.tenant,
            "class": device_class or self.device_class,
            "device": device or self.device,
        }
        missing = [key for key, name in said.items() if name is None]
        if missing:
            raise UserError(
                f"{missing[0]}: expected among the query's parameters, since nothing else in a message of "
                f"{self.name} tells it"
            )
        names = [str(name) for name in said.values()]
        try:
            checked_device(names[0], names[1], "any" if names[2] == UNNAMED and not device else names[2])
        except Unusable as finding:
            raise UserError(finding.detail) from None
        return "/".join((INGEST, self.name, *names))


def offers(tables: Sequence[SourceTable] = ()) -> dict[str, Offer]:
    """Return what may be sent by HTTP, by name.

    Args:
        tables: the configured sources; the first that has a name's profile or codec says whose it is.
    """
    found = {OWN: Offer(OWN, "default", None, None)}
    for name, table in _tables(tables):
        profile = _profile(table)
        device = table.device or profile.device or None
        found[name] = Offer(
            name,
            _constant(table.tenant or profile.tenant or "default"),
            _constant(table.device_class or profile.device_class or None),
            UNNAMED if _is_of_payload(device) else _constant(device),
        )
    return found


def ingest_sources(tables: Sequence[SourceTable] = ()) -> list[Source]:
    """Return the sources that read what came by HTTP, with the signals and options of the configured ones."""
    sources = []
    for name, table in _tables(tables):
        profile = _profile(table)
        device = table.device or profile.device
        named = {"tenant": "{3}", "device_class": "{4}"}
        if _is_of_payload(device):
            topic = f"{INGEST}/{name}/+/+/{UNNAMED}"
            sources.append(Source.of(table.model_copy(update=named | {"topic": topic, "device": device}), 0))
        topic = f"{INGEST}/{name}/+/+/+"
        sources.append(Source.of(table.model_copy(update=named | {"topic": topic, "device": "{5}"}), 0))
    return sources


def own_topic(root: str, topic: str) -> str:
    """Return the topic on which a device would have sent its telemetry, where it came by HTTP."""
    sent = topic.removeprefix(f"{INGEST}/{OWN}/")
    return topic if sent == topic else f"{root}/{sent}/telemetry"


def _tables(tables: Sequence[SourceTable]) -> Iterator[tuple[str, SourceTable]]:
    """Return a table for every profile and codec: the user's own, or one that only names it.

    Formats that cannot be read without their topics are left out.
    """
    for name in sorted({*profile_names(), *CODECS}):
        key = "profile" if name in profile_names() else "codec"
        own = next((table for table in tables if name in (table.profile, table.codec)), None)
        table = own or SourceTable.model_validate({key: name})
        codec = table.codec or _profile(table).codec
        if not CODECS[codec].NEEDS_TOPIC:
            yield name, table


def _profile(table: SourceTable) -> Profile:
    return load_profile(table.profile) if table.profile else Profile()


def _is_of_payload(template: str | None) -> bool:
    """Say whether the payload alone can fill a template."""
    return template is not None and bool(_BY_PAYLOAD.search(template)) and not _BY_TOPIC.search(template)


def _constant(template: str | None) -> str | None:
    return None if template is None or "{" in template else template
