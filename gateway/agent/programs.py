"""Other programs: no shell, bounded in time, ended with us."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

#: Where administrators' programs are, for users whose PATH leaves them out.
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Run:
    """What a program did.

    Attributes:
        status: its exit status; negative: ended by that signal; None: it took too long and was ended.
        output: what it wrote to standard output.
    """

    status: int | None
    output: str


def find(name: str) -> str | None:
    """Return where a program is, None when it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}")


async def run(command: Sequence[str], *, seconds: float) -> Run | None:
    """Run a program to its end; None when it is not installed or cannot be started.

    It speaks English, and stands in a session of its own: Ctrl-C at a terminal is ours to answer. When we
    are cancelled it is ended.
    """
    program = find(command[0])
    if program is None:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *command[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"LC_ALL": "C"},
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        return Run(None, "")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return Run(process.returncode, output.decode("utf-8", errors="replace"))
