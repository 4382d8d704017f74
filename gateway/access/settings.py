"""The configuration's table ``[access]``: sessions, limits, the trail, and a provider of identities."""

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.access.principal import Role
from rules.times import parse_duration


def _duration(value: str) -> str:
    if parse_duration(value) == 0:
        raise ValueError("expected a duration above zero")
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("expected an IP address or network") from None
    return value


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError("expected https://..., or http://127.0.0.1... for tests")
    return value.rstrip("/")


DurationText = Annotated[str, AfterValidator(_duration)]
Network = Annotated[str, AfterValidator(_network)]


class OidcTable(BaseModel):
    """A provider of identities (OpenID Connect): whom it knows comes in, with what their groups grant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: str | None = None
    client_secret_file: Path | None = None
    scopes: list[str] = ["openid", "profile", "email"]
    name_claim: str = "preferred_username"
    roles_claim: str = "groups"
    grants: dict[str, dict[str, Role]] = {}
    button: str = "Log in with your organisation"


class AccessTable(BaseModel):
    """Who may come in, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_idle: DurationText = "8h"
    session_max: DurationText = "7d"
    login_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    login_pause_max: DurationText = "15m"
    ingest_rate: Annotated[float, Field(gt=0)] = 200.0
    ingest_burst: Annotated[int, Field(ge=1)] = 2000
    audit_days: Annotated[int, Field(ge=1)] = 365
    trusted_proxies: list[Network] = []
    first_admin: str = "admin"
    first_admin_password_file: Path | None = None
    oidc: OidcTable | None = None

    def ms(self, name: str) -> int:
        """Return a duration in ms."""
        return parse_duration(getattr(self, name))
