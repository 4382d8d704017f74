"""One measurement in this process: ``python -m gateway.bench NAME SETTINGS``, JSON in and out."""

import json
import sys

from gateway.bench.machine import pin_to_one_core
from gateway.bench.rules import MEASUREMENTS, Settings


def main() -> None:
    """Measure, say on standard error what is being done, and print the figures."""
    name, settings = sys.argv[1:]
    core = pin_to_one_core()
    measure, _ = MEASUREMENTS[name]
    figures = measure(Settings(**json.loads(settings)), _say)
    json.dump({"core": core, **figures}, sys.stdout)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
