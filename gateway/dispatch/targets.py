"""Targets of the configuration (``[[dispatch]]``), checked, with their secrets read."""

import base64
import binascii
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from gateway.dispatch.addresses import is_public
from gateway.dispatch.credentials import Credentials, Key, SecretFile
from gateway.errors import UserError
from rules.times import SECOND_MS, parse_duration

if TYPE_CHECKING:
    from gateway.config import DispatchTable

Kind = Literal["webhook", "tmf621", "email", "file"]

#: By kind: keys that must be there, and keys that may be, besides those of every kind.
_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "webhook": (frozenset({"url"}), frozenset({"headers", "ca_file"})),
    "tmf621": (frozenset({"url"}), frozenset({"headers", "token", "token_file", "ca_file", "poll"})),
    "email": (
        frozenset({"url", "sender", "to"}),
        frozenset({"username", "password", "password_file", "ca_file", "auto_submitted"}),
    ),
    "file": (frozenset({"folder"}), frozenset({"format"})),
}
#: `secret` also signs what the target answers, whatever its kind.
_OF_ANY = frozenset(
    {"name", "tenant", "kind", "paused", "allow_private", "timeout", "attempts", "in_flight", "circuit"}
    | {"secret", "secret_file"}
)
_SCHEMES = {"webhook": ("https", "http"), "tmf621": ("https", "http"), "email": ("smtps", "smtp")}
_PORTS = {"smtp": 25, "smtps": 465}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAILBOX = re.compile(r"[^\s@<>,;:\"\x00-\x1f]+@[^\s@<>,;:\"\x00-\x1f]+", re.ASCII)
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"})

#: Bytes of a key for HMAC-SHA256 that Standard Webhooks asks for.
_LEAST_KEY, _LONGEST_KEY = 24, 64


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of the configuration, ready for use. `timeout` and `poll` are in s, the rest as in the file.

    Attributes:
        fixed_headers: those of the configuration; `headers` are all.
        tls: verifies whom it is connected to.
        credentials: secrets, token and password.
    """

    name: str
    tenant: str
    kind: Kind
    url: str
    allow_private: bool
    paused: bool
    timeout: float
    attempts: int
    in_flight: int
    circuit: int
    folder: Path
    format: Literal["json", "csv"]
    sender: str
    to: tuple[str, ...]
    auto_submitted: bool
    username: str | None
    poll: float
    fixed_headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext = field(repr=False)
    credentials: Credentials = field(repr=False)

    @classmethod
    def of(cls, table: "DispatchTable", place: Callable[[str], str]) -> "Target":
        """Make the target that a checked table describes; `place` says where a key of it stands.

        Raises:
            UserError: a file of secrets cannot be read, or what stands in it is none.
        """
        files = [
            SecretFile("secret", Path(path), place("secret_file"), _secrets_of)
            for path in _listed(table.secret_file)
        ]
        if table.token_file is not None:
            files.append(SecretFile("token", table.token_file, place("token_file"), _token_of))
        if table.password_file is not None:
            files.append(SecretFile("password", table.password_file, place("password_file"), _password_of))
        given: dict[Key, list[str]] = {
            "secret": _listed(table.secret),
            "token": _listed(table.token),
            "password": _listed(table.password),
        }
        return cls(
            name=table.name,
            tenant=table.tenant,
            kind=table.kind,
            url=(table.url or "").rstrip("/") if table.kind == "tmf621" else table.url or "",
            allow_private=table.allow_private,
            paused=table.paused,
            timeout=parse_duration(table.timeout) / SECOND_MS,
            attempts=table.attempts,
            in_flight=table.in_flight,
            circuit=table.circuit,
            folder=table.folder or Path(),
            format=table.format,
            sender=table.sender or "",
            to=tuple(table.to),
            auto_submitted=table.auto_submitted,
            username=table.username,
            poll=parse_duration(table.poll) / SECOND_MS,
            fixed_headers=tuple(table.headers.items()),
            tls=_tls(table, place),
            credentials=Credentials(given, files),
        )

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Those of every request, the token's among them."""
        token = self.credentials.token
        return (*self.fixed_headers, *([("Authorization", f"Bearer {token}")] if token else []))

    @property
    def host(self) -> str:
        """The host of `url`."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of a mail server's `url`."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]


def problems_of(tables: Sequence["DispatchTable"]) -> list[str]:
    """Say what is wrong with tables: key, what was expected and what stood there; secrets are not shown."""
    problems = []
    names: set[str] = set()
    for position, table in enumerate(tables):
        here = f"dispatch.{position}"
        if table.name in names:
            problems.append(f"{here}.name: expected a name of its own, got {table.name!r} again")
        names.add(table.name)
        problems += [f"{here}.{problem}" for problem in _problems(table)]
    return problems


def is_secret(text: str) -> bool:
    """Say whether a text is a secret of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith("whsec_") and _LEAST_KEY <= len(key) <= _LONGEST_KEY


_EXPECTED_KEY = "expected whsec_ and 24 to 64 random bytes in base64"


def _problems(table: "DispatchTable") -> Iterator[str]:
    required, optional = _KEYS[table.kind]
    for key in sorted(required - table.model_fields_set):
        yield f"{key}: expected with kind {table.kind!r}, but it is not there"
    for key in sorted(table.model_fields_set - required - optional - _OF_ANY):
        allowed = ", ".join(sorted(required | optional))
        yield f"{key}: not a key of kind {table.kind!r}, expected among {allowed}"
    if table.url is not None and table.kind in _SCHEMES:
        yield from _problems_of_url(table, _SCHEMES[table.kind])
    yield from _problems_of_secrets(table)
    yield from _problems_of_headers(table)
    for key, mailboxes in (("sender", _listed(table.sender)), ("to", list(table.to))):
        for mailbox in mailboxes:
            if not _MAILBOX.fullmatch(mailbox):
                yield f"{key}: expected a mailbox such as service@example.com, got {mailbox!r}"
    if "to" in table.model_fields_set and not table.to:
        yield "to: expected at least one mailbox, got []"
    if parse_duration(table.timeout) < SECOND_MS:
        yield f"timeout: expected at least 1s, got {table.timeout!r}"
    if 0 < parse_duration(table.poll) < SECOND_MS:
        yield f"poll: expected at least 1s, or 0s for never, got {table.poll!r}"


def _problems_of_url(table: "DispatchTable", schemes: tuple[str, ...]) -> Iterator[str]:
    expected = f"url: expected {' or '.join(f'{scheme}://HOST' for scheme in schemes)}"
    try:
        parts = urlsplit(table.url or "")
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and _is_clean(table.url)
    except ValueError:
        good = False
    if not good:
        yield f"{expected}, got {table.url!r}"
    elif parts.username is not None or parts.password is not None:
        yield "url: expected no user or password in it; there are keys and headers for them"
    elif parts.fragment or (parts.query and table.kind != "webhook"):
        yield f"{expected} without a query or fragment, got {table.url!r}"
    elif not table.allow_private and _is_private_literal(parts):
        yield f"url: expected a public address, or allow_private = true, got {table.url!r}"


def _is_clean(url: str | None) -> bool:
    return url is not None and url.isascii() and url.isprintable() and " " not in url


def _is_private_literal(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return host == "localhost" or ((":" in host or host.replace(".", "").isdigit()) and not is_public(host))


def _problems_of_secrets(table: "DispatchTable") -> Iterator[str]:
    if table.kind == "webhook" and not _listed(table.secret) and not _listed(table.secret_file):
        yield "secret: expected it or secret_file with kind 'webhook', but neither is there"
    if not all(map(is_secret, _listed(table.secret))):
        yield f"secret: {_EXPECTED_KEY}"
    if table.token is not None and not (table.token and _one_line(table.token)):
        yield "token: expected a text of one line"


def _problems_of_headers(table: "DispatchTable") -> Iterator[str]:
    for name, value in table.headers.items():
        if not _TOKEN.fullmatch(name):
            yield f"headers.{name}: expected the name of an HTTP header, got {name!r}"
        elif name.lower() in _OURS or name.lower().startswith("webhook-"):
            yield f"headers.{name}: this header is set by the gateway"
        elif not _one_line(value):
            yield f"headers.{name}: expected printable ASCII"


def _one_line(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _listed(value: str | Path | Sequence[str | Path] | None) -> list[str]:
    if value is None:
        return []
    return [str(value)] if isinstance(value, str | Path) else [str(each) for each in value]


def _secrets_of(text: str) -> tuple[str, ...]:
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise ValueError("expected a secret, found none")
    if not all(map(is_secret, found)):
        raise ValueError(f"{_EXPECTED_KEY} in each line")
    return found


def _token_of(text: str) -> tuple[str, ...]:
    token = text.strip()
    if not token or not _one_line(token):
        raise ValueError("expected one line of ASCII")
    return (token,)


def _password_of(text: str) -> tuple[str, ...]:
    password = text.rstrip("\r\n")
    if not password:
        raise ValueError("expected a password, found none")
    return (password,)


def _tls(table: "DispatchTable", place: Callable[[str], str]) -> ssl.SSLContext:
    """Return what trusts the certificates of `ca_file`, or those of the system where there is none."""
    if table.ca_file is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=table.ca_file)
    except ssl.SSLError:
        raise UserError(f"{place('ca_file')}: expected certificates in PEM in {table.ca_file}") from None
    except OSError as error:
        raise UserError(f"{place('ca_file')}: {error.strerror}: {table.ca_file}") from None
