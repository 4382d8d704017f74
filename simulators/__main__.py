"""``python -m simulators``: a fleet against any broker, until it is told to stop."""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

from rules.times import parse_instant
from simulators.connection import Broker
from simulators.fleet import Fleet, FleetSettings
from simulators.plan import plan_fleet
from simulators.truth import truth_of, write_truth


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a fleet; return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="simulators: %(message)s", level=logging.WARNING)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if not options.detached:
        Thread(target=_watch_input, args=(stop,), name="stdin", daemon=True).start()
    origin_ms = int(time.time() * 1000) if options.origin_ms is None else options.origin_ms
    plan = plan_fleet(options.devices, options.seed, origin_ms, options.until_ms)
    try:
        if options.truth is not None:
            write_truth(truth_of(plan), options.truth)
        fleet = Fleet(plan, FleetSettings(options.url, origin_ms, options.speed, options.root))
    except OSError as error:
        sys.stderr.write(f"simulators: {error}\n")
        return 1
    fleet.run(stop.is_set)
    return 0


def _watch_input(stop: Event) -> None:
    """End with whoever holds the other end of standard input, however that one ends."""
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass  # closed from the start: the same as its end
    stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators",
        description="Simulated devices with injected faults, each on its own MQTT connection. "
        "Ends on SIGTERM, SIGINT and at the end of standard input.",
    )
    parser.add_argument("--url", type=_broker, required=True, help="mqtt://HOST:PORT or mqtts://...")
    parser.add_argument("--devices", type=_at_least_one, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is chance (1)")
    parser.add_argument("--speed", type=_positive, default=60.0, help="device time to wall time (60)")
    parser.add_argument("--origin-ms", type=_instant, help="instant of both times at the start (now)")
    parser.add_argument("--until-ms", type=_instant, help="end of the run in device time, for the plan only")
    parser.add_argument("--truth", type=Path, help="file for what is injected, JSON Lines")
    parser.add_argument("--root", default="fw", help="first level of the topics (fw)")
    parser.add_argument("--detached", action="store_true", help="go on when standard input ends")
    return parser


def _broker(text: str) -> Broker:
    try:
        return Broker.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _instant(text: str) -> int:
    try:
        return parse_instant(int(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
