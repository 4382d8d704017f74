"""Memory that was given back to the allocator, given back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Let the C library return what it holds and nobody uses; nothing happens where it cannot.

    Arrays that grow leave holes that glibc keeps for later: of a process with many devices about a third
    (measured, docs/benchmarks.md). It takes some milliseconds.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
