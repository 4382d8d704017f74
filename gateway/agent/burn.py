"""Keep one core busy for some seconds, at low priority: ``python burn.py SECONDS``; alone, a child's work.

It imports nothing of ours, and ends by itself when its parent is gone.
"""

import os
import sys
import time


def burn(seconds: float) -> None:
    """Work until the time is over or the parent has ended."""
    os.nice(10)
    parent, deadline = os.getppid(), time.monotonic() + seconds
    number = 1
    while time.monotonic() < deadline and os.getppid() == parent:
        for _ in range(100_000):
            number = number * 6_364_136_223_846_793_005 % 18_446_744_073_709_551_557


if __name__ == "__main__":
    burn(float(sys.argv[1]))
