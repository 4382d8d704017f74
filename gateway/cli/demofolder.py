"""The demo's temporary folder, and those of demos that were killed before they could remove theirs."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "forewarn-demo-"

#: Held by the demo for as long as its folder is in use; the kernel lets go of it however the demo ends.
LOCK = "demo.lock"

#: Held by the embedded broker, which outlives a demo that is killed by a few seconds.
_BROKER_LOCK = "broker/lock"


@contextlib.contextmanager
def demo_folder() -> Iterator[Path]:
    """Give a folder that goes with the block, and remove those whose demos are gone."""
    remove_left_over()
    temporary = tempfile.TemporaryDirectory(prefix=PREFIX)
    folder = Path(temporary.name)
    lock = _taken(folder)
    try:
        yield folder
    finally:
        temporary.cleanup()
        os.close(lock)


def remove_left_over() -> None:
    """Remove the folders of our own demos that are gone; what is in use or not known as a demo's stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_if_left(folder)


def _taken(folder: Path) -> int:
    """Return the descriptor of the lock in a new folder. It is held before anyone can see it."""
    unseen = folder / f"{LOCK}.new"
    lock = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unseen.rename(folder / LOCK)
    return lock


def _remove_if_left(folder: Path) -> None:
    """Remove a folder when nobody holds its locks. The demo's goes last: by it the folder is known.

    Raises:
        OSError: it is in use, not a demo's, somebody else's, or cannot be removed.
    """
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(_free(folder / LOCK))
        if (folder / _BROKER_LOCK).exists():
            stack.enter_context(_free(folder / _BROKER_LOCK))
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink()
        (folder / LOCK).unlink()
        folder.rmdir()


@contextlib.contextmanager
def _free(lock: Path) -> Iterator[None]:
    """Hold a lock that nobody else holds.

    Raises:
        OSError: somebody does, or there is none.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
