"""Whose connection it is and how that is known; stands in the connection's state for all who handle it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from starlette.requests import HTTPConnection

from gateway.access.principal import Principal

if TYPE_CHECKING:
    from gateway.access.access import Access

_ACCESS = "access"
_VISIT = "visit"


@dataclass(frozen=True, slots=True)
class Visit:
    """A caller at one connection.

    Attributes:
        caller: who it is.
        kind: by a login's cookie, by a token, or because nobody has to log in here.
        address: from which it came.
        key: hash of the cookie's secret or of the token; empty for the built-in session.
        csrf: what a login's requests have to carry besides the cookie; empty for others.
        language: that the account chose, None without a choice.
        must_change: the password is good for nothing but choosing another.
    """

    caller: Principal
    kind: Literal["login", "token", "built-in"]
    address: str
    key: str = ""
    csrf: str = ""
    language: str | None = None
    must_change: bool = False

    def is_same(self, other: "Visit | None") -> bool:
        """Whether two connections are of one caller, by the same login, with the same rights."""
        return other is not None and (self.caller, self.kind, self.key) == (
            other.caller,
            other.kind,
            other.key,
        )


def note_visit(connection: HTTPConnection, access: "Access", visit: Visit | None) -> None:
    """Put down whose connection it is."""
    setattr(connection.state, _ACCESS, access)
    setattr(connection.state, _VISIT, visit)


def visit_of(connection: HTTPConnection) -> Visit | None:
    """Return whose connection it is and how that is known; None when it is nobody's."""
    visit: Visit | None = getattr(connection.state, _VISIT, None)
    return visit


def access_of(connection: HTTPConnection) -> "Access | None":
    """Return what identified a connection; None where there are no accounts at all."""
    access: Access | None = getattr(connection.state, _ACCESS, None)
    return access
