"""Programs that end with us, however we end.

A program started here runs under a keeper (leash_keeper.py) that reads from a pipe of which we hold the
other end. When we are gone, be it by SIGKILL, the pipe closes and the keeper ends the program. Both stand in
a session of their own, so that Ctrl-C at a terminal reaches us alone and we decide the order of the end.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from gateway.errors import OutsideError

_KEEPER = Path(__file__).with_name("leash_keeper.py")

#: What `subprocess` takes for the program's output: a file, a descriptor, or PIPE, DEVNULL.
Output = int | IO[bytes] | None


class LeashedProgram:
    """A running program.

    Attributes:
        pid: its process id.
        keeper_pid: the keeper's.
    """

    def __init__(self, keeper: asyncio.subprocess.Process, control: int, pid: int, name: str) -> None:
        self.pid = pid
        self.name = name
        self._keeper = keeper
        self._control: int | None = control

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        grace: float = 5.0,
        env: Mapping[str, str] | None = None,
        stdout: Output = None,
        stderr: Output = None,
        inherit: Sequence[int] = (),
    ) -> Self:
        """Start a program.

        Args:
            command: program and arguments.
            grace: seconds between being told to terminate and being killed.
            env: its environment, ours when None.
            stdout: where its standard output goes; with PIPE it is read from `stdout`.
            stderr: where its standard error goes.
            inherit: descriptors that the keeper holds open as long as the program runs, such as a lock.

        Raises:
            OutsideError: it could not be started.
        """
        control, our_control = os.pipe()
        our_report, report = os.pipe()
        try:
            keeper = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(_KEEPER),
                str(control),
                str(report),
                str(grace),
                *command,
                pass_fds=(control, report, *inherit),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            os.close(our_control)
            os.close(our_report)
            raise OutsideError(f"{command[0]} could not be started: {error.strerror}") from None
        finally:
            os.close(control)
            os.close(report)
        with os.fdopen(our_report, "rb") as reported:
            line = await asyncio.to_thread(reported.readline)
        if not line:
            os.close(our_control)
            await keeper.wait()
            raise OutsideError(f"{command[0]} could not be started")
        return cls(keeper, our_control, int(line), Path(command[0]).name)

    @property
    def keeper_pid(self) -> int:
        """The keeper's process id."""
        return self._keeper.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._keeper.returncode is None

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """The program's standard output when it was started with PIPE."""
        return self._keeper.stdout

    async def wait(self) -> int:
        """Return the program's exit status once it has ended; 128 + n when signal n ended it."""
        return await self._keeper.wait()

    async def stop(self) -> int:
        """Tell the program to terminate, kill it when its grace is over, and return its exit status."""
        if self._control is not None:
            os.close(self._control)
            self._control = None
        return await self._keeper.wait()
