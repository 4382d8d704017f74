"""One measurement in this process: ``python -m gateway.bench SUITE NAME SETTINGS``, JSON in and out."""

import json
import sys

from gateway.bench import backtest, ingest, orders, rules
from gateway.bench.machine import pin_to_one_core
from gateway.errors import ForewarnError


def main() -> None:
    """Measure, say on standard error what is being done, and print the figures."""
    suite, name, text = sys.argv[1:]
    settings = json.loads(text)
    if suite == "ingest":
        measure, _ = ingest.MEASUREMENTS[name]
        figures = measure(ingest.Settings(**settings), _say)
    elif suite == "backtest":
        measure_month, _ = backtest.MEASUREMENTS[name]
        figures = measure_month(backtest.Settings(**settings), _say)
    elif suite == "orders":
        core = pin_to_one_core()
        measure_orders, _ = orders.MEASUREMENTS[name]
        figures = {"core": core, **measure_orders(orders.Settings(**settings), _say)}
    else:
        core = pin_to_one_core()
        measure_rules, _ = rules.MEASUREMENTS[name]
        figures = {"core": core, **measure_rules(rules.Settings(**settings), _say)}
    json.dump(figures, sys.stdout)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        main()
    except (ForewarnError, ConnectionError) as problem:
        _say(str(problem))
        sys.exit(3)
