"""The configuration: TOML, checked, with errors that point at file, line and key."""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from gateway.access.settings import AccessTable
from gateway.dispatch.targets import problems_of
from gateway.errors import UserError
from gateway.wire.sources import Source
from rules.times import parse_duration


def _broker_url(value: str) -> str:
    if value == "embedded" or (re.fullmatch(r"mqtts?://[^/\s]+/?", value) and _has_port(value)):
        return value
    raise ValueError("expected mqtt://HOST:PORT, mqtts://HOST:PORT or embedded")


def _has_port(url: str) -> bool:
    """Say whether the port of a URL is one, or left out."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _prefixed(*prefixes: str) -> AfterValidator:
    def check(value: str) -> str:
        if value.startswith(prefixes):
            return value
        raise ValueError(f"expected one of {', '.join(prefix + '...' for prefix in prefixes)}")

    return AfterValidator(check)


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected HOST:PORT")
    return value


def _duration(value: str) -> str:
    parse_duration(value)
    return value


DurationText = Annotated[str, AfterValidator(_duration)]


class Table(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerTable(Table):
    """Where messages come from. `topic_root` is the first level of all topics of contract section 1."""

    url: Annotated[str, AfterValidator(_broker_url)] = "embedded"
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = "forewarn"
    username: str | None = None
    password: str | None = None
    password_file: Path | None = None
    topic_root: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+(/[A-Za-z0-9_.:-]+)*$")] = "fw"
    keepalive: DurationText = "60s"
    protocol: Literal["auto", "5", "3.1.1"] = "auto"


class LedgerTable(Table):
    """Where cases and orders are kept; left out, a SQLite file in the data folder."""

    url: Annotated[str, _prefixed("sqlite:///")] | None = None


class HistoryTable(Table):
    """Where readings are kept; left out, a DuckDB file in the data folder."""

    url: Annotated[str, _prefixed("duckdb:///")] | None = None


class HttpTable(Table):
    """API, console and metrics. `console_url` is what links in orders begin with."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"
    console_url: str | None = None

    @property
    def host(self) -> str:
        """The host part of `listen`."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of `listen`."""
        return int(self.listen.rpartition(":")[2])


class RulesTable(Table):
    """Which packs are evaluated: ``builtin`` and folders or files of the user's own."""

    packs: list[str] = ["builtin"]


class OrdersTable(Table):
    """Policies of orders. ``hold`` opens none and says why in the ledger; `docs/orders.md` has the others."""

    unknown_device: Literal["open", "hold"] = "open"
    out_of_warranty: Literal["open", "hold"] = "open"
    probe_deadline: DurationText = "30m"
    cancel_on_recovery: bool = False
    reopen_window: DurationText = "7d"


#: As in tenants.csv of the registry.
RegionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class IntakeTable(Table):
    """Bounds on what is taken in."""

    max_payload: Annotated[int, Field(ge=1024)] = 262_144
    quarantine_limit: Annotated[int, Field(ge=100)] = 100_000
    max_batch: Annotated[int, Field(ge=1, le=60_000)] = 20_000


class SourceTable(Table):
    """Messages of a foreign format.

    `profile` names a shipped one, which says what the other keys leave out. `topic` is an MQTT filter or a
    list of them. `tenant`, ``class`` and `device` are texts in which ``{1}``, ``{2}``... stand for the levels
    of the actual topic, counted from 1, ``{device}`` for the name that the format gives its device, and
    ``{payload:KEY}`` for a top-level text of the payload's document. `signals` maps foreign names to ours
    (`gateway.wire.signalmap`), before those of the profile.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    profile: str | None = None
    topic: str | list[str] | None = None
    codec: str | None = None
    tenant: str | None = None
    device_class: str | None = Field(alias="class", default=None)
    device: str | None = None
    signals: dict[str, str] = {}
    options: dict[str, Any] = {}


class DispatchTable(Table):
    """A system that is told of orders. Which keys go with which `kind`: `gateway.dispatch.targets`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    tenant: Annotated[str, Field(min_length=1)] = "*"
    kind: Literal["webhook", "tmf621", "email", "file"]
    url: str | None = None
    secret: str | list[str] = []
    secret_file: Path | list[Path] = []
    headers: dict[str, str] = {}
    token: str | None = None
    token_file: Path | None = None
    sender: str | None = None
    to: list[str] = []
    username: str | None = None
    password: str | None = None
    password_file: Path | None = None
    auto_submitted: bool = True
    ca_file: Path | None = None
    poll: DurationText = "60s"
    folder: Path | None = None
    format: Literal["json", "csv"] = "json"
    allow_private: bool = False
    paused: bool = False
    timeout: DurationText = "10s"
    attempts: Annotated[int, Field(ge=1, le=1000)] = 30
    in_flight: Annotated[int, Field(ge=1, le=64)] = 8
    circuit: Annotated[int, Field(ge=1, le=1000)] = 5


@dataclass(frozen=True, slots=True)
class _Written:
    """What a configuration was read from; `overridden` has the variables by key."""

    path: Path | None
    text: str
    overridden: dict[str, str]

    def place(self, key: str) -> str:
        """Return where a key was set, and the key; the key alone where it was left out."""
        if key in self.overridden:
            return f"environment variable {self.overridden[key]}: {key}"
        line = _line_of(self.text, key.split("."), found_only=True)
        return f"{self.path}:{line}: {key}" if line else key


class Config(Table):
    """The whole file. Relative paths count from the working directory."""

    data_dir: Path = Path("forewarn-data")
    broker: BrokerTable = BrokerTable()
    ledger: LedgerTable = LedgerTable()
    history: HistoryTable = HistoryTable()
    http: HttpTable = HttpTable()
    access: AccessTable = AccessTable()
    rules: RulesTable = RulesTable()
    orders: OrdersTable = OrdersTable()
    intake: IntakeTable = IntakeTable()
    sources: list[SourceTable] = []
    dispatch: list[DispatchTable] = []
    regions: dict[RegionName, Path] = {}

    _written: "_Written | None" = PrivateAttr(default=None)

    def place(self, key: str) -> str:
        """Return where a key such as ``rules.packs`` was set, file and line or variable, and the key."""
        return key if self._written is None else self._written.place(key)

    @property
    def ledger_path(self) -> Path:
        """The SQLite file."""
        return _path_of(self.ledger.url, "sqlite:///") or self.data_dir / "ledger.db"

    @property
    def history_path(self) -> Path:
        """The DuckDB file."""
        return _path_of(self.history.url, "duckdb:///") or self.data_dir / "history.duckdb"

    @property
    def registry_dir(self) -> Path:
        """The folder of the registry's CSV files."""
        return self.data_dir / "registry"

    @property
    def registry_path(self) -> Path:
        """The SQLite file of what was imported into the registry."""
        return self.data_dir / "registry.db"

    def broker_password(self) -> str | None:
        """Return the broker's password, from its file where one is named.

        Raises:
            UserError: the file cannot be read.
        """
        if self.broker.password_file is None:
            return self.broker.password
        return self.read_secret("broker.password_file", self.broker.password_file)

    def oidc_secret(self) -> str | None:
        """Return this client's secret at the provider of identities, from its file where one is named.

        Raises:
            UserError: the file cannot be read.
        """
        oidc = self.access.oidc
        if oidc is None or oidc.client_secret_file is None:
            return None if oidc is None else oidc.client_secret
        return self.read_secret("access.oidc.client_secret_file", oidc.client_secret_file)

    def read_secret(self, key: str, path: Path) -> str:
        """Return the secret in the file that a key names, without the end of its line.

        Raises:
            UserError: the file cannot be read.
        """
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise UserError(f"{self.place(key)}: {error.strerror}: {path}") from None
        except UnicodeDecodeError:
            raise UserError(f"{self.place(key)}: expected UTF-8 in {path}") from None


def _path_of(url: str | None, prefix: str) -> Path | None:
    return Path(url.removeprefix(prefix)) if url else None


def load_config(path: Path | None, environment: dict[str, str] | None = None) -> Config:
    """Read a configuration file and the ``FOREWARN_`` variables that override it.

    Raises:
        UserError: file, line and key of what is wrong, what was expected and what stood there.
    """
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise UserError(f"{path}:{line}: expected UTF-8, byte {error.start} is not") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        place = found[1] if found else len(text.splitlines())  # it ended too early
        raise UserError(f"{path}:{place}: not TOML: {error}") from None
    overridden = _override(document, os.environ if environment is None else environment)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise UserError("\n".join(_sentences(error, path, text, overridden))) from None
    problems = problems_of(config.dispatch)
    for position, table in enumerate(config.sources):
        try:
            Source.of(table, position)
        except UserError as error:
            problems += str(error).splitlines()
    if problems:
        keys = [problem.partition(":")[0].split(".") for problem in problems]
        raise UserError(
            "\n".join(f"{path}:{_line_of(text, key)}: {p}" for key, p in zip(keys, problems, strict=True))
        )
    config._written = _Written(path, text, overridden)
    return config


def _override(document: dict[str, Any], environment: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """Lay ``FOREWARN_TABLE__KEY`` variables over the document and return key -> variable."""
    overridden = {}
    for name, value in sorted(environment.items()):
        keys = name.removeprefix("FOREWARN_").lower().split("__")
        if not name.startswith("FOREWARN_") or (len(keys) == 1 and keys[0] not in Config.model_fields):
            continue  # FOREWARN_DATA and its like are not keys of the file
        table = document
        for key in keys[:-1]:
            nested = table.setdefault(key, {})
            if not isinstance(nested, dict):
                raise UserError(f"environment variable {name}: {key} is not a table")
            table = nested
        table[keys[-1]] = _of_variable(name, keys, value)
        overridden[".".join(keys)] = name
    return overridden


#: Keys whose variable holds a list, separated by commas, or a table in TOML.
_LISTS = (["rules", "packs"], ["access", "trusted_proxies"], ["access", "oidc", "scopes"])
_TABLES = (["access", "oidc", "grants"],)


def _of_variable(name: str, keys: list[str], text: str) -> object:
    """Return what a variable says of a key.

    Raises:
        UserError: it is to be a table, and is none.
    """
    if keys in _LISTS:
        return text.split(",")
    if keys in _TABLES:
        try:
            return tomllib.loads(f"table = {text}")["table"]
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"environment variable {name}: expected a table in TOML: {error}") from None
    return text


#: What was expected, by pydantic's name for the problem, in the words of a TOML file.
_EXPECTED = {
    "missing": "expected, but it is not there",
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "list_type": "expected a list",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "path_type": "expected a path",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "enum": "expected {expected}",
    "string_pattern_mismatch": "expected a text that matches {pattern}",
    "string_too_short": "expected a text that is not empty",
}


def _sentences(error: ValidationError, path: Path | None, text: str, overridden: dict[str, str]) -> list[str]:
    sentences = []
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        key = ".".join(location)
        where = (
            f"environment variable {overridden[key]}"
            if key in overridden
            else f"{path}:{_line_of(text, location)}"
        )
        kind, context = problem["type"], problem.get("ctx", {})
        if kind == "extra_forbidden":
            expected = f"unknown key, expected one of: {', '.join(_keys_at(location[:-1]))}"
        elif kind in _EXPECTED:
            expected = _EXPECTED[kind].format(**context)
        else:
            expected = problem["msg"].removeprefix("Value error, ")
        told = kind in ("missing", "extra_forbidden") or ", got " in expected
        got = "" if told else f", got {problem['input']!r}"
        sentences.append(f"{where}: {key}: {expected}{got}")
    return sentences


def _keys_at(location: list[str]) -> list[str]:
    """Return the keys that may stand in the table at a location."""
    model: Any = Config
    for part in location:
        if part.isdigit():
            continue
        annotation = model.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        model = next((a for a in (annotation, *arguments) if hasattr(a, "model_fields")), None)
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _line_of(text: str, location: list[str], *, found_only: bool = False) -> int:
    """Return the line of a key in a TOML text: its own, else its table's or 1; 0 with `found_only`."""
    table: list[str] = []
    occurrence: dict[str, int] = {}
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\-\"]+)\s*\]\]?", line):
            name = header[2].replace('"', "")
            table = name.split(".")
            if header[1] == "[[":
                table.append(str(occurrence.get(name, 0)))
                occurrence[name] = occurrence.get(name, 0) + 1
            if table == location[: len(table)]:
                best = number
        elif entry := re.match(r"\s*([\w\-\"]+(?:\s*\.\s*[\w\-\"]+)*)\s*=", line):
            keys = [key.strip().strip('"') for key in entry[1].split(".")]
            here = table + keys
            if here == location[: len(here)]:
                return number
    return 0 if found_only else best
