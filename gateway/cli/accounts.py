"""``forewarn accounts``: who may come in, on the ledger itself, also while the gateway runs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.access.accounts import COMMAND_LINE, Accounts, Made
from gateway.access.principal import ALL_TENANTS, Role, Scope
from gateway.access.records import Account, checked_name
from gateway.config import load_config
from gateway.errors import UserError
from rules.times import parse_duration, to_rfc3339

accounts_app = typer.Typer(
    help="Who may come in: accounts, their roles and tokens, also while the gateway runs.",
    no_args_is_help=True,
)

WIDEST = 250

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="Read the password from this file; - is standard input."),
]
TemporaryOption = Annotated[
    bool, typer.Option("--temporary", help="Make a password up, to be changed at the first login.")
]


@accounts_app.command("add")
def add_account(
    name: NameArgument,
    grant: Annotated[
        list[str] | None,
        typer.Option(metavar="TENANT=ROLE", help="viewer, engineer or admin; * is every tenant."),
    ] = None,
    display_name: Annotated[str, typer.Option(help="How it is shown.")] = "",
    password_file: PasswordFileOption = None,
    temporary: TemporaryOption = False,
    config: ConfigOption = None,
) -> None:
    """Make an account; the first is an admin of all tenants. Asks for its password."""
    checked_name(name)
    with _opened(config) as accounts:
        grants = _grants(grant or [])
        if not grants:
            if not accounts.is_empty():
                raise typer.BadParameter("--grant: expected TENANT=ROLE, such as acme=engineer")
            grants = {ALL_TENANTS: Role.ADMIN}
        made = accounts.make(
            COMMAND_LINE,
            name,
            grants=grants,
            display_name=display_name,
            password=_password(password_file, temporary),
        )
    _tell(made, f"{made.account.name} may log in: {_roles(made.account)}")


@accounts_app.command("list")
def list_accounts(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List the accounts with their roles."""
    with _opened(config) as accounts:
        found = accounts.all_of(COMMAND_LINE)
    if as_json:
        for account in found:
            print(json.dumps(_document(account), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "shown as", "roles", "state", "created"):
        table.add_column(heading, no_wrap=heading != "roles")
    for account in found:
        state = "disabled" if account.disabled else account.issuer or "local"
        table.add_row(account.name, account.display_name, _roles(account), state, to_rfc3339(account.created))
    Console(width=WIDEST, markup=False, highlight=False).print(
        table if found else "There is no account yet: forewarn accounts add NAME"
    )


@accounts_app.command("grant")
def grant_roles(
    name: NameArgument,
    grants: Annotated[
        list[str], typer.Argument(metavar="TENANT=ROLE...", help="TENANT=none takes a role away.")
    ],
    config: ConfigOption = None,
) -> None:
    """Give an account roles, tenant by tenant; those that are not named stay."""
    with _opened(config) as accounts:
        account = accounts.grant(COMMAND_LINE, name, _grants(grants))
    print(f"{account.name}: {_roles(account)}")


@accounts_app.command("disable")
def disable_account(
    name: NameArgument,
    enable: Annotated[bool, typer.Option("--undo", help="Let it come in again.")] = False,
    config: ConfigOption = None,
) -> None:
    """Keep an account from coming in; its logins end within seconds."""
    with _opened(config) as accounts:
        account = accounts.disable(COMMAND_LINE, name, disabled=not enable)
    print(f"{account.name} may {'log in again' if enable else 'not log in any more'}")


@accounts_app.command("password")
def set_password(
    name: NameArgument,
    password_file: PasswordFileOption = None,
    temporary: TemporaryOption = False,
    config: ConfigOption = None,
) -> None:
    """Give an account another password; its logins end within seconds."""
    with _opened(config) as accounts:
        accounts.shown(COMMAND_LINE, name)
        made = accounts.set_password(COMMAND_LINE, name, _password(password_file, temporary))
    _tell(made, f"{made.account.name} has another password")


@accounts_app.command("remove")
def remove_account(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take an account away, with its logins and tokens; what it did stays in the audit trail."""
    with _opened(config) as accounts:
        account = accounts.shown(COMMAND_LINE, name)
        if not yes:
            typer.confirm(f"Remove {account.name} for good?", abort=True, err=True)
        accounts.remove(COMMAND_LINE, name)
    print(f"{account.name} is gone")


@accounts_app.command("token")
def make_token(
    name: NameArgument,
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="What the token is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, act, ingest or admin; read when left out.")
    ] = None,
    expires: Annotated[str, typer.Option(help="From now, such as 90d.")] = "365d",
    config: ConfigOption = None,
) -> None:
    """Make a token of an account's and print its secret, this once."""
    scopes = set()
    for text in scope or [Scope.READ.value]:
        if text not in list(Scope):
            raise typer.BadParameter(f"--scope: expected one of {', '.join(Scope)}, got {text!r}")
        scopes.add(Scope(text))
    try:
        lives = parse_duration(expires)
    except ValueError as error:
        raise typer.BadParameter(f"--expires: {error}") from None
    with _opened(config) as accounts:
        account = accounts.shown(COMMAND_LINE, name)
        _, secret = accounts.make_token(account.principal(), purpose, frozenset(scopes), lives=lives)
    print(secret)


@contextmanager
def _opened(path: Path | None) -> Iterator[Accounts]:
    from gateway.access.audit import Trail
    from gateway.clock import SystemClock
    from gateway.ledger.people import SqlPeople

    config = load_config(path)
    people = SqlPeople(f"sqlite:///{config.ledger_path}")
    clock = SystemClock()
    try:
        yield Accounts(people, Trail(people, clock), clock)
    finally:
        people.close()


def _grants(texts: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for text in texts:
        tenant, equals, role = text.partition("=")
        if not equals or role not in (*Role, "none"):
            expected = f"TENANT=ROLE, the role one of {', '.join(Role)}"
            raise typer.BadParameter(f"expected {expected}, got {text!r}")
        found[tenant] = None if role == "none" else role
    return found


def _password(path: Path | None, temporary: bool) -> str | None:
    """Return the password from where it was said to be, or from the terminal; None to make one up."""
    if temporary:
        if path is not None:
            raise typer.BadParameter("expected --temporary or --password-file, not both")
        return None
    if path == Path("-"):
        return sys.stdin.readline().rstrip("\r\n")
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise UserError(f"--password-file: {error.strerror}: {path}") from None
        except UnicodeDecodeError:
            raise UserError(f"--password-file: expected UTF-8 in {path}") from None
    if not sys.stdin.isatty():
        raise UserError(
            "the password is asked for at a terminal, and there is none: --password-file FILE reads it from "
            "a file (- is standard input), --temporary makes one up"
        )
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _tell(made: Made, sentence: str) -> None:
    print(sentence, file=sys.stderr)
    if made.temporary is not None:
        print(made.temporary)
        print("Good for three days, and for choosing another at the first login.", file=sys.stderr)


def _roles(account: Account) -> str:
    return ", ".join(f"{tenant}={role}" for tenant, role in sorted(account.grants.items())) or "no roles"


def _document(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "display_name": account.display_name,
        "grants": dict(account.grants),
        "disabled": account.disabled,
        "provider": account.issuer,
        "created": to_rfc3339(account.created),
    }
