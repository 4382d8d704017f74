"""Logging in by a real OpenID provider: npm's oidc-provider, which is certified by the OpenID Foundation."""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from access_site import BASE, House, open_house
from httpx import AsyncClient

from gateway.access.access import OpenDoor
from gateway.access.accounts import COMMAND_LINE
from gateway.access.guests import granted
from gateway.access.oidc import Provider
from gateway.access.principal import Role
from gateway.api.accessing import AccessDesk
from gateway.console.pages.login import CALLBACK, router

SCRIPT = Path(__file__).parents[1] / "servers" / "oidc_provider.mjs"
SECRET = "a secret of the client"
GRANTS = {"service": {"acme": "engineer"}, "heads": {"acme": "admin", "other": "viewer"}}


def test_of_several_groups_the_one_that_may_most_decides():
    table = {group: {t: Role(r) for t, r in roles.items()} for group, roles in GRANTS.items()}
    both = {"acme": Role.ADMIN, "other": Role.VIEWER}
    assert granted(["service", "heads", "unknown"], table) == granted(["heads", "service"], table) == both
    assert granted("service", table) == {"acme": Role.ENGINEER}
    assert granted(None, table) == granted([], table) == {}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the OpenID provider comes by npm, which is not installed")
    folder = tmp_path_factory.mktemp("oidc")
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", "oidc-provider@9"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install oidc-provider: {done.stderr.strip()[-200:]}")
    shutil.copy(SCRIPT, folder)
    return folder


class Running:
    """A provider that can be started again with other people and other keys."""

    def __init__(self, folder):
        self._folder = folder
        self._process = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    def start(self, people, kid="first"):
        self.stop()
        environment = {
            "PORT": str(self._port),
            "PEOPLE": json.dumps(people),
            "REDIRECT_URIS": json.dumps([BASE + CALLBACK]),
            "KID": kid,
        }
        self._process = subprocess.Popen(
            ["node", SCRIPT.name],
            cwd=self._folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        issuer = self._process.stdout.readline().strip()
        assert issuer, "the provider did not start"
        return issuer

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


@pytest.fixture
def provider(installed):
    running = Running(installed)
    yield running
    running.stop()


@pytest.fixture
def house(tmp_path, provider):
    issuer = provider.start({"ada": person("ada", "heads"), "vera": person("vera", "service")})
    settings = {"oidc": {"issuer": issuer, "client_id": "forewarn", "grants": GRANTS}}
    with ExitStack() as stack:
        opened = open_house(tmp_path, stack, settings=settings, door=OpenDoor.of("127.0.0.1", None))
        of_provider = Provider(opened.settings.oidc, SECRET)
        opened.desk = AccessDesk(opened.access, opened.desk.logins, provider=of_provider)
        opened.app.state.access = opened.desk
        opened.app.include_router(router)
        yield opened


def person(name, *groups):
    return {"preferred_username": name, "name": name.title(), "groups": list(groups)}


async def come_back(house: House, client: AsyncClient, who: str) -> str:
    """Log in at the provider and return where it sends the browser back to."""
    started = await client.get("/login/oidc", params={"next": "/cases?state=open"})
    assert started.status_code == 303, started.text
    asked = parse_qs(urlsplit(started.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    async with AsyncClient(follow_redirects=False) as browser:
        answer = await browser.get(started.headers["location"])
        for _ in range(12):
            if answer.is_redirect:
                place = str(answer.next_request.url)
                if place.startswith(BASE):
                    return place
                answer = await browser.get(place)
                continue
            action = re.search(r'action="([^"]+)"', answer.text)[1]
            fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', answer.text))
            answer = await browser.post(action, data=fields | {"login": who, "password": "any"})
    raise AssertionError("the provider did not send the browser back")


async def log_in(house, who, client=None):
    client = client or house.client()
    back = await come_back(house, client, who)
    return client, await client.get(back.removeprefix(BASE))


@pytest.mark.server
async def test_the_first_login_makes_the_account_and_groups_decide_each_time(house, provider):
    client, answer = await log_in(house, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases?state=open"), answer.text
    me = (await client.get("/api/v1/me")).json()
    assert (me["name"], me["display_name"]) == ("ada", "Ada")
    assert me["grants"] == {"acme": "admin", "other": "viewer"}
    # The provider has other keys and other groups the next day.
    provider.start({"ada": person("ada", "service")}, kid="second")
    again, answer = await log_in(house, "ada")
    assert answer.status_code == 303, answer.text
    assert (await again.get("/api/v1/me")).json()["grants"] == {"acme": "engineer"}
    assert [a.name for a in house.desk.accounts.all_of(COMMAND_LINE)] == ["ada"]
    assert [what for _, what, _, _ in house.trail()] == [
        "account.make", "login", "account.grant", "login"
    ]  # fmt: skip


@pytest.mark.server
async def test_who_is_not_meant_does_not_come_in(house, provider):
    stranger = {
        "eve": person("eve", "sales"),
        "mallory": person("root", "heads"),
        "vera": person("vera", "heads"),
    }
    provider.start(stranger)
    _, answer = await log_in(house, "eve")
    assert answer.status_code == 403
    assert "none of your groups" in answer.text
    house.account("root")
    _, answer = await log_in(house, "mallory")
    assert answer.status_code == 403
    assert "another account" in answer.text
    client, _ = await log_in(house, "vera")
    house.desk.accounts.disable(COMMAND_LINE, "vera")
    assert (await client.get("/api/v1/me")).status_code == 401
    _, answer = await log_in(house, "vera")
    assert answer.status_code == 403


@pytest.mark.server
async def test_an_answer_is_good_once_and_in_the_browser_that_asked(house):
    client = house.client()
    back = (await come_back(house, client, "vera")).removeprefix(BASE)
    other = house.client()
    assert (await other.get(back)).status_code == 403
    client, answer = await log_in(house, "vera", client)
    assert answer.status_code == 303
    assert (await client.get(back)).status_code == 403


@pytest.mark.server
async def test_a_provider_that_is_away_is_told_of(house, provider):
    provider.stop()
    async with house.client() as client:
        answer = await client.get("/login/oidc")
    assert answer.status_code == 502
    assert "does not answer" in answer.text
