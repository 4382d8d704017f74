"""Broker URLs taken apart."""

import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from gateway.errors import UserError


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how to log in.

    Attributes:
        url: for people, without credentials.
        tls: whether the connection is encrypted; the system's authorities are trusted.
    """

    url: str
    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, *, username: str | None = None, password: str | None = None) -> Self:
        """Take ``mqtt://HOST[:PORT]`` or ``mqtts://...`` apart; credentials may stand in it.

        Raises:
            UserError: it is no such URL.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == -1:
            raise UserError(f"broker.url: expected mqtt://HOST:PORT or mqtts://HOST:PORT, got {url!r}")
        tls = parts.scheme == "mqtts"
        port = port or (8883 if tls else 1883)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            url=f"{parts.scheme}://{host}:{port}",
            host=parts.hostname,
            port=port,
            tls=tls,
            username=username if username is not None else _decoded(parts.username),
            password=password if password is not None else _decoded(parts.password),
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what an encrypted connection needs, None for a plain one."""
        return ssl.create_default_context() if self.tls else None


def _decoded(part: str | None) -> str | None:
    return None if part is None else unquote(part)
