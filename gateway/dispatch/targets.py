"""Targets of the configuration (``[[dispatch]]``), checked, with their secrets read."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from gateway.dispatch.addresses import is_public
from gateway.errors import UserError
from rules.times import SECOND_MS, parse_duration

if TYPE_CHECKING:
    from gateway.config import DispatchTable

Kind = Literal["webhook", "tmf621", "email", "file"]

#: By kind: keys that must be there, and keys that may be, besides those of every kind.
_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "webhook": (frozenset({"url"}), frozenset({"secret", "secret_file", "headers"})),
    "tmf621": (frozenset({"url"}), frozenset({"headers", "token", "token_file"})),
    "email": (frozenset({"url", "sender", "to"}), frozenset({"username", "password", "password_file"})),
    "file": (frozenset({"folder"}), frozenset({"format"})),
}
_OF_ANY = frozenset(
    {"name", "tenant", "kind", "paused", "allow_private", "timeout", "attempts", "in_flight", "circuit"}
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
    """One entry of the configuration, ready for use. `timeout` is in seconds, the rest as in the file.

    Attributes:
        secrets: of a webhook; each signs.
        password: at the mail server.
        headers: of every request, the token's among them.
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
    username: str | None
    secrets: tuple[str, ...] = field(repr=False)
    password: str | None = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def of(cls, table: "DispatchTable", place: Callable[[str], str]) -> "Target":
        """Make the target that a checked table describes; `place` says where a key of it stands.

        Raises:
            UserError: a file of secrets cannot be read, or what stands in it is none.
        """
        secrets = _listed(table.secret)
        for path in _listed(table.secret_file):
            text = _read(path, place("secret_file"))
            found = [line.strip() for line in text.splitlines() if line.strip()]
            if not found:
                raise UserError(f"{place('secret_file')}: expected a secret in {path}, it is empty")
            if not all(map(is_secret, found)):
                raise UserError(f"{place('secret_file')}: {_EXPECTED_KEY} in each line of {path}")
            secrets += found
        token = table.token
        if table.token_file is not None:
            token = _read(table.token_file, place("token_file")).strip()
            if not _one_line(token) or not token:
                raise UserError(f"{place('token_file')}: expected one line in {table.token_file}")
        password = table.password
        if table.password_file is not None:
            password = _read(table.password_file, place("password_file")).rstrip("\r\n")
        headers = dict(table.headers) | ({"Authorization": f"Bearer {token}"} if token else {})
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
            username=table.username,
            secrets=tuple(secrets),
            password=password,
            headers=tuple(headers.items()),
        )

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


def _read(path: str | Path, place: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}: {path}") from None
    except UnicodeDecodeError:
        raise UserError(f"{place}: expected UTF-8 in {path}") from None
