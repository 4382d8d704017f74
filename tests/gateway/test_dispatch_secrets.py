"""Secrets in files: others are in force without a restart, and a file that is wrong loses none."""

import base64
import os

import pytest
from dispatching import OLD_SECRET, SECRET, Office, target
from receivers import Receiver
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.dispatch.credentials import SecretFile

NEWEST = "whsec_" + base64.b64encode(bytes(range(50, 82))).decode()


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    yield office
    office.close()


def knows(request, secret):
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_a_secret_is_rotated_without_a_restart_and_without_loss(office, tmp_path):
    path = tmp_path / "secrets"
    path.write_text(f"{OLD_SECRET}\n")
    contents = (
        f"{SECRET}\n{OLD_SECRET}\n",  # both, until the receiver has the new one
        "",  # cut off for a moment
        "hunter2\n",
        None,  # gone
        f"{SECRET}\n",
    )
    with Receiver() as receiver:
        crm = target(url=receiver.url, secret=[], secret_file=path)
        office.know(crm)
        async with office.dispatching(crm) as until:
            for number, content in enumerate((f"{OLD_SECRET}\n", *contents), start=1):
                if content is None:
                    path.unlink()
                else:
                    path.write_text(content)
                office.open(number)
                await until(lambda number=number: len(office.stands("delivered")) == number)
    signed = [[knows(request, secret) for secret in (OLD_SECRET, SECRET)] for request in receiver.requests]
    both, new = [True, True], [False, True]
    assert signed == [[True, False], both, both, both, both, new]
    value = office.events.registry.get_sample_value
    counted = {
        result: value("forewarn_secret_files_total", {"target": "crm", "result": result})
        for result in ("taken", "refused")
    }
    assert counted == {"taken": 2, "refused": 3}, "each once, however often it is looked at"


async def test_a_token_is_rotated_without_a_restart(office, tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    with Receiver() as receiver:
        tickets = target("tmf621", url=receiver.url, token_file=path, attempts=1)
        office.know(tickets)
        async with office.dispatching(tickets) as until:
            for number, token in enumerate(("first", "second"), start=1):
                path.write_text(f"{token}\n")
                office.open(number)
                await until(lambda number=number: office.count("retry") + office.count("dead") >= number)
    sent = {request.headers["authorization"] for request in receiver.requests}
    assert sent == {"Bearer first", "Bearer second"}


def test_a_file_that_is_written_twice_within_a_tick_of_the_clock_is_read_again(tmp_path):
    path = tmp_path / "secret"
    path.write_text("one")
    file = SecretFile("password", path, "here", lambda text: (text,))
    stamp = path.stat()
    with path.open("r+") as same:
        same.write("two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file.look() == (path, None)
    assert file.values == ("two",)
    assert file.look() is None


def test_a_file_that_does_not_change_is_read_once(tmp_path):
    path = tmp_path / "secret"
    path.write_text("one")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    read = []
    file = SecretFile("password", path, "here", lambda text: read.append(text) or (text,))
    assert [file.look() for _ in range(3)] == [None] * 3
    assert read == ["one"]
