"""The folders of demos that are gone are removed, and no others."""

import fcntl
import os
import tempfile

import pytest

from gateway.cli.demofolder import LOCK, demo_folder, remove_left_over


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(folder, *, broker=False):
    """A folder as a killed demo leaves it."""
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / "ledger.db").write_text("x")
    (folder / "registry").mkdir()
    (folder / "registry" / "devices.csv").write_text("x")
    if broker:
        (folder / "broker").mkdir()
        (folder / "broker" / "lock").touch()
    return folder


def held(path):
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_a_folder_goes_with_its_demo_and_with_the_next_one_when_it_was_killed(temporary):
    one, two = left(temporary / "forewarn-demo-a"), left(temporary / "forewarn-demo-b", broker=True)
    with demo_folder() as folder:
        assert folder.parent == temporary
        assert not one.exists()
        assert not two.exists()
        (folder / "ledger.db").write_text("x")
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_living_demo_stays():
    with demo_folder() as one:
        (one / "ledger.db").write_text("x")
        with demo_folder() as two:
            assert (one / "ledger.db").exists()
            assert two.exists()
        assert (one / "ledger.db").exists()


def test_a_folder_whose_broker_still_ends_stays_until_it_has(temporary):
    folder = left(temporary / "forewarn-demo-a", broker=True)
    lock = held(folder / "broker" / "lock")
    remove_left_over()
    assert (folder / "ledger.db").exists()
    os.close(lock)
    remove_left_over()
    assert not folder.exists()


def test_what_is_not_known_as_a_demos_stays(temporary):
    without_lock = temporary / "forewarn-demo-new"
    without_lock.mkdir()
    (without_lock / "precious").touch()
    elsewhere = left(temporary / "elsewhere")
    (temporary / "forewarn-demo-link").symlink_to(elsewhere)
    (temporary / "forewarn-demo-file").touch()
    remove_left_over()
    assert (without_lock / "precious").exists()
    assert (elsewhere / "ledger.db").exists()
    assert (temporary / "forewarn-demo-file").exists()
