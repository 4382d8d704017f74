"""``forewarn accounts`` on a ledger's file, beside a house that has it open."""

import json
import re
from contextlib import ExitStack

import pytest
from access_site import PASSWORD, open_house
from typer.testing import CliRunner

from gateway.cli.accounts import accounts_app
from gateway.errors import UserError


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        yield open_house(tmp_path, stack)


@pytest.fixture
def forewarn(tmp_path):
    config = tmp_path / "forewarn.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n', encoding="utf-8")

    def run(*arguments, told=None):
        return CliRunner().invoke(accounts_app, [*arguments, "--config", str(config)], input=told)

    return run


async def status(client):
    return (await client.get("/api/v1/cases")).status_code


async def test_accounts_are_made_and_ended_beside_a_running_gateway(house, forewarn):
    async with house.client() as client:
        assert await status(client) == 200  # the built-in engineer, until there is an account
        made = forewarn("add", "Ada", "--password-file", "-", told=f"{PASSWORD}\n")
        assert made.exit_code == 0, made.exception
        house.move(1_000)
        assert await status(client) == 401
    ada = await house.logged_in("ada")
    assert (await ada.get("/api/v1/me")).json()["grants"] == {"*": "admin"}
    temporary = forewarn("add", "eve", "--grant", "acme=engineer", "--temporary").stdout.strip()
    assert re.fullmatch(r"(\w{4}-){3}\w{4}", temporary)
    assert (await (await house.logged_in("eve", temporary)).get("/api/v1/me")).json()["must_change_password"]
    assert forewarn("grant", "eve", "acme=none", "other=viewer").exit_code == 0
    listed = [json.loads(line) for line in forewarn("list", "--json").stdout.splitlines()]
    assert [(a["name"], a["grants"]) for a in listed] == [
        ("ada", {"*": "admin"}),
        ("eve", {"other": "viewer"}),
    ]
    secret = forewarn("token", "ada", "reports", "--expires", "1d").stdout.strip()
    async with house.client(authorization=f"Bearer {secret}") as script:
        assert await status(script) == 200
        forewarn("grant", "eve", "*=admin")
        assert forewarn("disable", "ada").exit_code == 0
        house.move(1_000)
        assert await status(ada) == await status(script) == 401
    assert ("forewarn accounts", "account.disable", "account:ada", "*") in house.trail()


def test_what_cannot_be_is_said_in_a_sentence(house, forewarn):
    house.account("ada")
    assert "last admin" in str(forewarn("remove", "ada", "--yes").exception)
    assert "there is no account" in str(forewarn("password", "eve", "--temporary").exception)
    for arguments, expected in [
        (("add", "eve"), "--grant"),
        (("grant", "ada", "acme"), "TENANT=ROLE"),
        (("token", "ada", "x", "--scope", "all"), "--scope"),
    ]:
        result = forewarn(*arguments)
        assert result.exit_code == 2
        assert expected in result.stderr
    result = forewarn("password", "ada")
    assert isinstance(result.exception, UserError)
    assert "--password-file" in str(result.exception)
