"""``forewarn dispatch``: dead letters as they are listed and marked, without a gateway that runs."""

import pytest
from dispatching import Office, target
from gateways import json_lines, run_command, write_config
from receivers import Receiver, Reply


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path, "mqtt://127.0.0.1:1")


@pytest.fixture
async def office(tmp_path):
    """One order of which a target refused what was opened and waits for what was closed; another got all."""
    (tmp_path / "data").mkdir()
    office = Office(tmp_path / "data")
    with Receiver(Reply(400, body=b"[no] such tenant")) as receiver:
        crm, erp = target(url=receiver.url), target(name="erp", kind="file", folder=f"{tmp_path}/out")
        office.know(crm, erp)
        office.open(1)
        async with office.dispatching(crm, erp) as until:
            await until(lambda: len(office.stands("dead")) == len(office.stands("delivered")) == 1)
    office.end(1)
    office.know(crm, erp)
    yield office
    office.close()


def run(config, *arguments):
    return run_command("dispatch", *arguments, "--config", config)


def test_deliveries_are_listed_and_filtered(config, office):
    shown = run(config, "list").stdout
    assert "[no] such tenant" in shown, "no markup"
    (letter,) = json_lines(run(config, "list", "--json").stdout)
    assert letter | {"number": 0, "changed": "", "created": ""} == {
        "number": 0,
        "target": "crm",
        "state": "dead",
        "event_id": "SO-1/com.forewarn.order.opened",
        "type": "com.forewarn.order.opened",
        "order_id": "SO-1",
        "tenant": "acme",
        "created": "",
        "changed": "",
        "attempts": 1,
        "due": None,
        "ticket": None,
        "behind": 1,
        "detail": "answered 400: [no] such tenant",
    }
    listed = json_lines(run(config, "list", "--state", "all", "--json").stdout)
    assert len(listed) == 4
    newest = json_lines(run(config, "list", "--state", "all", "--json", "--limit", "3").stdout)
    assert newest == listed[:3]
    waiting = json_lines(run(config, "list", "--state", "waiting", "--target", "erp", "--json").stdout)
    assert [row["type"].rpartition(".")[2] for row in waiting] == ["closed"]
    assert run(config, "list", "--target", "erp").stdout == "No dead letters.\n"


def test_dead_letters_are_marked_and_what_is_none_is_named(config, office):
    (letter,) = office.stands("dead")
    answer = run(config, "retry", "99", str(letter.owed.number))
    assert answer.stdout.startswith("1 dead letter will be sent again;")
    assert (answer.returncode, answer.stderr) == (1, "no dead letters: 99\n")
    assert not office.stands("dead")
    again = next(each for each in office.stands("waiting") if each.owed.number == letter.owed.number)
    assert (again.owed.attempts, again.due) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "marked"), [(["--target", "erp"], 0), (["--target", "crm"], 1), (["--all"], 1)]
)
def test_dead_letters_are_marked_by_target(config, office, arguments, marked):
    answer = run(config, "retry", *arguments)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"{marked} dead letter")
    assert len(office.stands("dead")) == 1 - marked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry"], "expected numbers of dead letters, or --target, or --all"),
        (["retry", "1", "--all"], "expected numbers of dead letters, or --target, or --all"),
        (["list", "--state", "lost"], "--state: expected one of waiting, delivered, dead, overtaken, all,"),
    ],
)
def test_wrong_usage_is_said(config, arguments, said):
    answer = run(config, *arguments)
    assert answer.returncode == 2
    assert said in " ".join(answer.stderr.replace("│", " ").split())


@pytest.mark.parametrize("command", [["list"], ["retry", "--all"]])
def test_without_a_ledger_nothing_is_made(config, tmp_path, command):
    answer = run(config, *command)
    assert answer.returncode == 1
    assert answer.stderr.startswith("no ledger at ")
    assert not (tmp_path / "data").exists()
