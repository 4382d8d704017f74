"""Who asks, and what they may: roles, each bound to tenants. Every question of rights ends here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Stands for every tenant in a grant.
ALL_TENANTS = "*"


class Role(StrEnum):
    """What somebody may do; each role may all that the one before it may.

    A ``viewer`` looks, and sees personal data masked. An ``engineer`` sees it and acts on cases, orders and
    rules. An ``admin`` besides sees to accounts, the registry and the audit trail.
    """

    VIEWER = "viewer"
    ENGINEER = "engineer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """How much it may; more is more."""
        return list(Role).index(self)


class Scope(StrEnum):
    """What a personal token is good for, at most; its owner's roles bound it as well."""

    READ = "read"
    ACT = "act"
    INGEST = "ingest"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks: a person with a session, or the holder of a token.

    Attributes:
        name: who it is, as it is written down with what was done.
        grants: role by tenant; ``*`` is every tenant.
        scopes: what a token is good for; None for a session, which has no such bounds.
        account: the account's identifier; None for the built-in session.
    """

    name: str
    grants: Mapping[str, Role] = field(default_factory=dict)
    scopes: frozenset[Scope] | None = None
    account: str | None = None

    def role_in(self, tenant: str) -> Role | None:
        """Return the role in a tenant (``*``: the one that holds in all of them), None without any."""
        roles = [self.grants[key] for key in {tenant, ALL_TENANTS} if key in self.grants]
        return max(roles, key=lambda role: role.rank, default=None)

    def may(self, role: Role, tenant: str = ALL_TENANTS) -> bool:
        """Say whether it has at least a role in a tenant; without one, in all of them."""
        has = self.role_in(tenant)
        return has is not None and has.rank >= role.rank

    def may_anywhere(self, role: Role) -> bool:
        """Say whether it has at least a role in any tenant."""
        return any(has.rank >= role.rank for has in self.grants.values())

    def tenants(self, role: Role = Role.VIEWER) -> frozenset[str] | None:
        """Return the tenants in which it has at least a role; None is all of them."""
        if self.may(role):
            return None
        return frozenset(tenant for tenant, has in self.grants.items() if has.rank >= role.rank)


#: Contract, section 4: in a demo on loopback nobody has to log in.
BUILT_IN = Principal("engineer", {ALL_TENANTS: Role.ENGINEER})
