"""``forewarn`` on one core: ``python -m gateway.bench.pinned CORE ARGUMENTS...``; -1 for any core."""

import os
import sys

from gateway.cli.entry import main

if __name__ == "__main__":
    core = int(sys.argv.pop(1))
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    main()
