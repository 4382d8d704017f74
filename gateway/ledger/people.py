"""Accounts, sessions, tokens and the audit trail in the ledger's database."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.access.principal import Role, Scope
from gateway.access.records import Account, Deed, Session, Token
from gateway.errors import UserError
from gateway.ledger.access_tables import accounts, audit, sessions, tokens
from gateway.ledger.auditing import prune_deeds, read_deeds, write_deeds
from gateway.ledger.opening import open_engine, speaking, writing
from gateway.ledger.paging import page
from gateway.ports import Page

#: SQL takes a bounded number of values in a list.
_ROWS_AT_ONCE = 500


class SqlPeople:
    """Who may come in, kept in a ledger. Any thread may call any method.

    Every transaction is short: the gateway's commits wait for them.

    Args:
        url: of the ledger, ``sqlite:///PATH``; the file is made, and its tables are brought up to date.

    Raises:
        UserError: the URL is none, or what is there is not a ledger, or one of a newer forewarn.
        StoreUnavailableError: the database cannot be reached, or its disk refuses; so does every method.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer = writing(self._engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # accounts

    def has_accounts(self) -> bool:
        """Say whether there is any account."""
        with speaking(self._engine), self._engine.begin() as connection:
            return (
                connection.execute(sa.select(sa.literal(1)).select_from(accounts).limit(1)).first()
                is not None
            )

    def account_named(self, name: str) -> Account | None:
        """Return the account of a name."""
        return self._account(accounts.c.name == name.strip().lower())

    def account_of(self, account_id: str) -> Account | None:
        """Return the account of an identifier."""
        return self._account(accounts.c.account_id == account_id)

    def account_at(self, issuer: str, subject: str) -> Account | None:
        """Return the account of somebody whom a provider of identities knows."""
        return self._account((accounts.c.issuer == issuer) & (accounts.c.subject == subject))

    def accounts(self, *, cursor: str | None = None, limit: int = 100) -> Page[Account]:
        """Return the accounts by name.

        Raises:
            UserError: no page gave that cursor.
        """
        with speaking(self._engine), self._engine.begin() as connection:
            return page(
                connection,
                sa.select(accounts),
                [accounts.c.name],
                newest_first=False,
                cursor=cursor,
                limit=limit,
                item=_account,
            )

    def add_account(self, account: Account, deed: Deed) -> None:
        """Add an account, and what is written down of it.

        Raises:
            UserError: its name is taken, or it is the first and not an admin of all tenants.
        """
        with speaking(self._engine), self._writer.begin() as connection:
            taken = sa.select(accounts.c.name).where(accounts.c.name == account.name)
            if connection.execute(taken).first():
                raise UserError(f"name: there is an account {account.name} already")
            is_first = connection.execute(sa.select(accounts.c.name).limit(1)).first() is None
            if is_first and account.issuer is None and not account.rules_all:
                raise UserError(
                    "grants: the first account has to be admin of all tenants (*), to make others"
                )
            connection.execute(sa.insert(accounts).values(**_row(account)))
            write_deeds(connection, [deed])

    def change_account(
        self,
        account_id: str,
        change: Callable[[Account], Account],
        deed: Callable[[Account, Account], Deed],
        *,
        end_sessions: bool = False,
        but: str | None = None,
    ) -> Account:
        """Change an account and return it as it now is.

        The last admin of all tenants stays one, where it is a local account: a provider of identities, and
        who sees to its groups, can let another in.

        Args:
            account_id: whose.
            change: makes the new account of the present one.
            deed: what is written down, of the account before and after.
            end_sessions: whether its sessions end with that.
            but: key of the session that goes on.

        Raises:
            UserError: there is no such account, or no admin of all tenants would be left.
        """
        with speaking(self._engine), self._writer.begin() as connection:
            before = _found(connection, account_id)
            after = change(before)
            if before.issuer is None and before.rules_all and not after.rules_all:
                _refuse_without_admin(connection, before)
            values = {key: value for key, value in _row(after).items() if key != "account_id"}
            connection.execute(
                sa.update(accounts).where(accounts.c.account_id == account_id).values(**values)
            )
            if end_sessions:
                ended = sa.delete(sessions).where(sessions.c.account_id == account_id)
                connection.execute(ended if but is None else ended.where(sessions.c.key != but))
            write_deeds(connection, [deed(before, after)])
            return after

    def remove_account(self, account_id: str, deed: Deed) -> None:
        """Take an account away, with its sessions and tokens; what it did stays in the trail.

        Raises:
            UserError: there is no such account, or no admin of all tenants would be left.
        """
        with speaking(self._engine), self._writer.begin() as connection:
            account = _found(connection, account_id)
            if account.issuer is None and account.rules_all:
                _refuse_without_admin(connection, account)
            for table in (sessions, tokens, accounts):
                connection.execute(sa.delete(table).where(table.c.account_id == account_id))
            write_deeds(connection, [deed])

    # sessions

    def add_session(self, session: Session, deed: Deed, *, instead_of: str | None = None) -> None:
        """Begin a session; the one with the key `instead_of` ends."""
        with speaking(self._engine), self._writer.begin() as connection:
            if instead_of is not None:
                connection.execute(sa.delete(sessions).where(sessions.c.key == instead_of))
            connection.execute(
                sa.insert(sessions).values(
                    key=session.key,
                    account_id=session.account_id,
                    csrf=session.csrf,
                    created=session.created,
                    used=session.used,
                    expires=session.expires,
                    address=session.address,
                )
            )
            write_deeds(connection, [deed])

    def session_of(self, key: str) -> tuple[Session, Account] | None:
        """Return a session by its key, with its account."""
        with speaking(self._engine), self._engine.begin() as connection:
            row = connection.execute(sa.select(sessions).where(sessions.c.key == key)).first()
            return None if row is None else (_session(row), _found(connection, row.account_id))

    def sessions_of(self, account_id: str) -> list[Session]:
        """Return an account's sessions, the newest first."""
        query = sa.select(sessions).where(sessions.c.account_id == account_id)
        with speaking(self._engine), self._engine.begin() as connection:
            rows = connection.execute(query.order_by(sessions.c.created.desc())).all()
        return [_session(row) for row in rows]

    def end_session(self, key: str, deed: Deed) -> bool:
        """End a session; False when there was none."""
        with speaking(self._engine), self._writer.begin() as connection:
            ended = connection.execute(sa.delete(sessions).where(sessions.c.key == key)).rowcount > 0
            if ended:
                write_deeds(connection, [deed])
            return ended

    # tokens

    def add_token(self, token: Token, deed: Deed) -> None:
        """Add a token."""
        with speaking(self._engine), self._writer.begin() as connection:
            connection.execute(
                sa.insert(tokens).values(
                    token_id=token.token_id,
                    account_id=token.account_id,
                    name=token.name,
                    start=token.start,
                    key=token.key,
                    scopes=json.dumps(sorted(token.scopes)),
                    created=token.created,
                    expires=token.expires,
                )
            )
            write_deeds(connection, [deed])

    def token_of(self, key: str) -> tuple[Token, Account] | None:
        """Return a token by its key, with its account."""
        with speaking(self._engine), self._engine.begin() as connection:
            row = connection.execute(sa.select(tokens).where(tokens.c.key == key)).first()
            return None if row is None else (_token(row), _found(connection, row.account_id))

    def tokens_of(self, account_id: str) -> list[Token]:
        """Return an account's tokens, the newest first."""
        query = sa.select(tokens).where(tokens.c.account_id == account_id)
        with speaking(self._engine), self._engine.begin() as connection:
            rows = connection.execute(query.order_by(tokens.c.created.desc(), tokens.c.token_id)).all()
        return [_token(row) for row in rows]

    def remove_token(self, token_id: str, account_id: str, deed: Deed) -> bool:
        """Revoke a token of an account; False when it has no such."""
        mine = (tokens.c.token_id == token_id) & (tokens.c.account_id == account_id)
        with speaking(self._engine), self._writer.begin() as connection:
            removed = connection.execute(sa.delete(tokens).where(mine)).rowcount > 0
            if removed:
                write_deeds(connection, [deed])
            return removed

    # the trail, and what time does

    def record(self, deeds: Sequence[Deed]) -> None:
        """Add what was done to the trail."""
        if deeds:
            with speaking(self._engine), self._writer.begin() as connection:
                write_deeds(connection, deeds)

    def trail(
        self,
        *,
        tenants: frozenset[str] | None = None,
        who: str | None = None,
        target: str | None = None,
        since: int | None = None,
        until: int | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Deed]:
        """Return what was done, newest first; the arguments are those of `read_deeds`.

        Raises:
            UserError: no page gave that cursor.
        """
        with speaking(self._engine), self._engine.begin() as connection:
            return read_deeds(
                connection,
                tenants=tenants,
                who=who,
                target=target,
                since=since,
                until=until,
                cursor=cursor,
                limit=limit,
            )

    def mark_used(self, used: Mapping[str, int]) -> None:
        """Note when sessions and tokens were last used: ms since 1970 UTC by key."""
        rows = [{"its_key": key, "now": at} for key, at in used.items()]
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            with speaking(self._engine), self._writer.begin() as connection:
                for table in (sessions, tokens):
                    marking = sa.update(table).where(table.c.key == sa.bindparam("its_key"))
                    connection.execute(
                        marking.values(used=sa.bindparam("now")), rows[begin : begin + _ROWS_AT_ONCE]
                    )

    def prune(self, *, now: int, idle: int, deeds_before: int) -> int:
        """Take away sessions that are over, and some of the trail's rows that are too old.

        Args:
            now: ms since 1970 UTC.
            idle: ms without use after which a session is over.
            deeds_before: ms since 1970 UTC.

        Returns:
            How many rows of the trail went; there may be more as long as it is not 0.
        """
        over = (sessions.c.expires <= now) | (sessions.c.used <= now - idle)
        with speaking(self._engine), self._engine.begin() as connection:
            any_over = connection.execute(sa.select(sessions.c.key).where(over).limit(1)).first()
            any_old = connection.execute(
                sa.select(audit.c.number).where(audit.c.at < deeds_before).limit(1)
            ).first()
        if any_over is None and any_old is None:
            return 0
        with speaking(self._engine), self._writer.begin() as connection:
            connection.execute(sa.delete(sessions).where(over))
            return prune_deeds(connection, deeds_before)

    def _account(self, which: sa.ColumnElement[bool]) -> Account | None:
        with speaking(self._engine), self._engine.begin() as connection:
            row = connection.execute(sa.select(accounts).where(which)).first()
        return None if row is None else _account(row)


def _found(connection: sa.Connection, account_id: str) -> Account:
    row = connection.execute(sa.select(accounts).where(accounts.c.account_id == account_id)).first()
    if row is None:
        raise UserError("there is no such account")
    return _account(row)


def _refuse_without_admin(connection: sa.Connection, gone: Account) -> None:
    others = sa.select(accounts).where(accounts.c.account_id != gone.account_id, ~accounts.c.disabled)
    if not any(_account(row).rules_all for row in connection.execute(others)):
        raise UserError(f"{gone.name} is the last admin of all tenants: make another first")


def _row(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "display_name": account.display_name,
        "grants": json.dumps(dict(account.grants)),
        "password": account.password,
        "must_change": account.must_change,
        "password_until": account.password_until,
        "language": account.language,
        "disabled": account.disabled,
        "created": account.created,
        "issuer": account.issuer,
        "subject": account.subject,
    }


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    return Account(
        account_id=row.account_id,
        name=row.name,
        display_name=row.display_name,
        grants={tenant: Role(role) for tenant, role in json.loads(row.grants).items()},
        password=row.password,
        must_change=row.must_change,
        password_until=row.password_until,
        language=row.language,
        disabled=row.disabled,
        created=row.created,
        issuer=row.issuer,
        subject=row.subject,
    )


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    return Session(
        key=row.key,
        account_id=row.account_id,
        csrf=row.csrf,
        created=row.created,
        used=row.used,
        expires=row.expires,
        address=row.address,
    )


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    return Token(
        token_id=row.token_id,
        account_id=row.account_id,
        name=row.name,
        start=row.start,
        key=row.key,
        scopes=frozenset(Scope(scope) for scope in json.loads(row.scopes)),
        created=row.created,
        expires=row.expires,
        used=row.used,
    )
