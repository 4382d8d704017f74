"""Who comes into a whole gateway, and what the command line beside it still may."""

import json

import httpx
import pytest
from gateways import gateway, now_ms, run_command
from servers import publish, wait_until

pytestmark = pytest.mark.server

PASSWORD = "correct horse battery"


def test_a_gateway_with_accounts_and_the_command_line_beside_it(tmp_path, mosquitto):
    (tmp_path / "admin").write_text(f"{PASSWORD}\n", encoding="utf-8")
    text = f'[access]\nfirst_admin = "ada"\nfirst_admin_password_file = "{tmp_path}/admin"\n'
    with gateway(tmp_path, mosquitto.url, text) as running:
        now = now_ms()
        message = json.dumps({"ts": now, "values": {"cpu.load": 5}})
        publish(mosquitto.url, [("fw/acme/pc/p-1/telemetry", message)])
        with httpx.Client(base_url=running.url, timeout=30) as client:
            assert client.get("/readyz").status_code == client.get("/metrics").status_code == 200
            assert client.get("/api/v1/devices").status_code == 401
            page = client.get("/cases?state=all")
            assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fcases%3Fstate%3Dall")
            assert client.get("/login").status_code == 200
            login = client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
            csrf = {"x-csrf-token": login.json()["csrf_token"]}
            wait_until(lambda: client.get("/api/v1/devices").json()["items"], what="the device")
            # The history is held by the gateway; the command line asks it, and is known to it.
            told = run_command("telemetry", "acme/pc/p-1", "--csv", "--config", running.config)
            assert told.stdout.splitlines()[1:] == [f"{now},cpu.load,,5"], told.stderr
            assert oct((running.data / "gateway.json").stat().st_mode)[-3:] == "600"
            made = run_command(
                "accounts", "add", "eve", "--grant", "acme=viewer", "--temporary", "--config", running.config
            )
            assert made.returncode == 0, made.stderr
            listed = client.get("/api/v1/accounts").json()["items"]
            assert [account["name"] for account in listed] == ["ada", "eve"]
            with client.stream("GET", "/api/v1/events", timeout=60) as events:
                lines = events.iter_lines()
                assert next(lines).startswith(":")
                assert httpx.post(
                    f"{running.url}/api/v1/logout", cookies=dict(client.cookies), headers=csrf
                ).status_code == 204  # fmt: skip
                for _ in lines:  # it ends, with the login
                    pass
            assert client.get("/api/v1/devices").status_code == 401
