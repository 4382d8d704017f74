"""Drives and their self tests, with a program in place of smartctl."""

import pytest
import structlog
from agent_machine import ABORTED, FAILED, PASSED, RUNNING, asked, before_path, nvme, put_smartctl, sata

from gateway.agent.drives import Drives
from gateway.agent.selftest import self_test

DENIED = "Smartctl open device: /dev/sdb failed: Permission denied"


@pytest.fixture
def smartctl(tmp_path, monkeypatch):
    def put(*drives):
        monkeypatch.setenv("PATH", before_path(tmp_path / "bin"))
        return put_smartctl(tmp_path / "bin", list(drives))

    return put


async def test_drives_are_found_read_and_named(smartctl):
    folder = smartctl(sata(), nvme(0, "passed"))
    drives = Drives()
    values = await drives.read()
    assert values["disk.pending_sectors@sda"] == 8
    assert values["disk.smart_passed@sda"] is True
    assert values["nvme.available_spare@nvme0"] == 100
    assert drives.facts["sda"] == {
        "model": "ST4000DM004-2CV104",
        "serial": "ZFN0EXAMPLE",
        "firmware": "0001",
    }
    # Told that a SATA drive is SCSI, as the scan says, smartctl would read nothing of it.
    assert asked(folder)[1:] == [
        "--json --all --nocheck=standby /dev/sda",
        "--json --all --nocheck=standby --device=nvme /dev/nvme0",
    ]


async def test_a_status_that_speaks_of_the_drive_s_health_is_no_failure_to_read(smartctl):
    smartctl(sata() | {"status": 0x58})
    assert (await Drives().read())["disk.pending_sectors@sda"] == 8


async def test_what_lacks_is_said_once_and_the_others_are_read(smartctl):
    folder = smartctl(sata(), {**sata(name="/dev/sdb"), "refuses": [2, DENIED]})
    drives = Drives()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert "disk.pending_sectors@sda" in await drives.read()
    (line,) = logs
    assert (line["event"], line["what"], DENIED in line["detail"]) == ("drive_unread", "/dev/sdb", True)
    put_smartctl(folder, [sata(), sata(name="/dev/sdb")])
    with structlog.testing.capture_logs() as logs:
        assert "disk.pending_sectors@sdb" in await drives.read()
    assert [line["event"] for line in logs] == ["drive_read_again"]


async def test_a_sleeping_drive_is_left_alone_without_a_word(smartctl):
    smartctl({**sata(), "refuses": [2, "Device is in STANDBY mode, exit(2)"]})
    with structlog.testing.capture_logs() as logs:
        assert await Drives().read() == {}
    assert logs == []


async def test_without_smartctl_it_says_so_once(monkeypatch, tmp_path):
    monkeypatch.setattr("gateway.agent.programs._SYSTEM_FOLDERS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    drives = Drives()
    with structlog.testing.capture_logs() as logs:
        assert await drives.read() == {}
        assert await drives.read() == {}
    assert [line["detail"] for line in logs] == ["smartctl is not installed: drives are not watched"]
    assert (await self_test(drives, "sda", 0)).state == "unsupported"


async def test_output_that_is_no_json_is_no_reading(tmp_path, monkeypatch):
    program = tmp_path / "smartctl"
    program.write_text("#!/bin/sh\necho 'smartctl: unrecognized option --json'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", before_path(tmp_path))
    with structlog.testing.capture_logs() as logs:
        assert await Drives().read() == {}
    assert [line["detail"] for line in logs] == ["smartctl finds no drive"]


@pytest.mark.parametrize(
    ("drive", "state", "told"),
    [
        (sata(RUNNING, RUNNING, PASSED), "passed", {"status": "completed without error"}),
        (
            sata(RUNNING, FAILED),
            "failed",
            {"status": "completed: read failure", "lifetime_hours": 9_120, "lba": 1_465_149_168},
        ),
        (sata(RUNNING, ABORTED), "error", {"status": "was aborted by the host"}),
        (nvme(0, "Completed without error"), "passed", {"lifetime_hours": 77}),
        (nvme(7, "Completed: failed segments"), "failed", {"status": "Completed: failed segments"}),
        (nvme(1, "Aborted: Self-test command"), "error", {}),
    ],
)
async def test_a_self_test_ends_with_what_the_drive_found(smartctl, drive, state, told):
    folder = smartctl(drive)
    drives = Drives()
    await drives.read()
    answer = await self_test(drives, "", 0)
    assert answer.state == state
    assert told.items() <= answer.result.items()
    assert sum("--test=short" in line for line in asked(folder)) == 1


@pytest.mark.parametrize(
    ("drive", "state", "told"),
    [
        (sata() | {"idle": {"ata_smart_data": {"capabilities": {"self_tests_supported": False}}}},
         "unsupported", "no self test"),
        (sata() | {"idle": RUNNING}, "error", "another self test"),
        (sata() | {"test_refused": [4, "Self-test functions not supported"]}, "unsupported", "not supported"),
        (sata() | {"test_refused": [4, "Command failed: Input/output error"]}, "error", "Input/output"),
    ],
)  # fmt: skip
async def test_a_test_that_does_not_begin_says_why(smartctl, drive, state, told):
    smartctl(drive)
    drives = Drives()
    await drives.read()
    answer = await self_test(drives, "sda", 0)
    assert answer.state == state
    assert told in answer.result["reason"]


@pytest.mark.parametrize("component", ["sdz", "/dev/sda", "sda; reboot", "--test=long", ""])
async def test_only_drives_that_were_found_are_tested(smartctl, component):
    folder = smartctl(sata(PASSED), sata(PASSED, name="/dev/sdb"))
    drives = Drives()
    await drives.read()
    before = asked(folder)
    answer = await self_test(drives, component, 0)
    assert answer == ("error", {"reason": "component: expected one of sda, sdb"})
    assert asked(folder) == before
