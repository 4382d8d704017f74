"""The commands of ``forewarn``; contract, section 3."""

import csv
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.cli.agent import agent
from gateway.cli.backtest import backtest
from gateway.cli.devices import devices_app
from gateway.cli.handover import register_handover
from gateway.cli.logs import configure_logs
from gateway.cli.orderpapers import export, paper
from gateway.cli.scenarios import rules_app
from gateway.cli.simulate import simulate
from gateway.config import Config, load_config
from gateway.csv_cells import cell
from gateway.errors import UserError
from gateway.ports import StoredReading
from rules.symbols import DeviceId
from rules.times import parse_duration, parse_instant, to_rfc3339

app = typer.Typer(
    help="Remote diagnostics for after-sales service: telemetry in, a pre-filled service order out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
orders_app = typer.Typer(help="Service orders, also while the gateway runs.", no_args_is_help=True)
app.add_typer(orders_app, name="orders")
app.add_typer(rules_app, name="rules")
orders_app.command()(paper)
orders_app.command()(export)
app.add_typer(devices_app, name="devices")
register_handover(app)
app.command()(backtest)
app.command()(agent)
app.command()(simulate)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


WIDEST = 250


def _configuration(path: Path | None) -> Config:
    return load_config(path)


def _duration_option(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _instant_option(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(int(text) if text.isdigit() else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _device_id(text: str) -> DeviceId:
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise UserError(f"expected a device as tenant/class/device, got {text!r}")
    return DeviceId(*parts)


@app.command()
def demo(
    devices: Annotated[int, typer.Option(min=1, max=5_000, help="How many simulated devices.")] = 200,
    speed: Annotated[float, typer.Option(min=1.0, max=1_000.0, help="Device time to wall time.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is chance.")] = 1,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of the console; 8080, or any free one where that is taken."),
    ] = None,
    run_for: Annotated[
        str | None, typer.Option("--for", help="Wall time such as 2m; else until Ctrl-C.")
    ] = None,
    as_json: JsonOption = False,
    data_dir: Annotated[Path | None, typer.Option(help="Keep everything in this new folder.")] = None,
) -> None:
    """Show it all: broker, gateway, console, a simulated fleet with injected faults, and a score."""
    from gateway.cli.demo import DemoSettings
    from gateway.cli.demo import demo as run_demo
    from gateway.cli.running import ENDS, run_until_signalled

    settings = DemoSettings(devices, speed, seed, port, _duration_option(run_for), as_json, data_dir)
    configure_logs(logging.ERROR)
    # A terminal that is closed takes its demo with it, folder and all.
    run_until_signalled(lambda stop: run_demo(settings, stop), (*ENDS, signal.SIGHUP))


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the service until SIGTERM or Ctrl-C: drains, commits, exits 0."""
    from gateway.cli.running import run_gateway

    loaded = _configuration(config)
    configure_logs()
    run_gateway(loaded)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Validate configuration, rule packs and registry files; point at file, line and key."""
    from gateway.loading import build_decoder, load_knowledge, load_targets
    from rules.symbols import Symbols

    loaded = _configuration(config)
    knowledge = load_knowledge(loaded)
    load_targets(loaded)
    build_decoder(loaded, knowledge, Symbols())
    loaded.broker_password()
    loaded.oidc_secret()
    registry = knowledge.registry
    print(
        f"{config or 'defaults'}: good. {len(knowledge.ruleset.rules)} rules, "
        f"{len(list(knowledge.ruleset.catalogue))} signals, {len(knowledge.faults)} faults, "
        f"{len(registry.devices)} registered devices."
    )


@app.command()
def replay(
    files: Annotated[list[str], typer.Argument(help="JSON Lines, gzip by name; - is standard input.")],
    config: ConfigOption = None,
    rules: Annotated[Path | None, typer.Option(help="Rule packs in place of the configured ones.")] = None,
    orders: Annotated[Path | None, typer.Option(help="Write orders here (standard output without).")] = None,
    cases: Annotated[Path | None, typer.Option(help="Write the events of cases here.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Write all decisions here.")] = None,
) -> None:
    """Run the same engine over recorded messages and write what it would have opened. Deterministic."""
    from gateway.loading import build_decoder, build_pipeline, load_knowledge
    from gateway.replay import Collected
    from gateway.replay import replay as run_replay
    from rules.symbols import Symbols

    loaded = _configuration(config)
    knowledge = load_knowledge(loaded, [rules] if rules else None)
    symbols = Symbols()
    pipeline = build_pipeline(loaded, knowledge, symbols, loaded.http.console_url)
    decoder = build_decoder(loaded, knowledge, symbols)
    collected = Collected()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("replaying")
        for collected in run_replay(files, decoder, pipeline):
            bar.update(task, description=f"{collected.messages:,} messages, {len(collected.orders):,} orders")
    for sentence in collected.complaints:
        print(sentence, file=sys.stderr)
    if collected.unusable > len(collected.complaints):
        print(f"... {collected.unusable} in all could not be used", file=sys.stderr)
    if collected.unusable and not collected.messages:
        raise UserError(f"{', '.join(files)}: expected JSON Lines with topic, ts and payload, found none")
    _write_lines(orders or (None if cases or ledger else Path("-")), collected.order_lines())
    _write_lines(cases, collected.case_lines())
    _write_lines(ledger, collected.ledger_lines())
    print(f"{collected.messages} messages, {len(collected.orders)} orders", file=sys.stderr)


def _write_lines(path: Path | None, lines: Iterator[dict[str, Any]]) -> None:
    if path is None:
        return
    if path == Path("-"):
        for line in lines:
            print(json.dumps(line, ensure_ascii=False))
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


@app.command()
def explain(
    device: Annotated[str, typer.Argument(help="tenant/class/device")],
    fault: Annotated[str | None, typer.Option(help="Only this fault.")] = None,
    config: ConfigOption = None,
) -> None:
    """Say why an order was opened, or why not: the ledger in plain words."""
    from gateway.cli.explaining import explanation_lines
    from gateway.cli.history import heard_of
    from gateway.ledger.store import SqlLedger
    from gateway.loading import load_knowledge
    from gateway.plainwords import harmless

    asked = _device_id(device)
    loaded = _configuration(config)
    knowledge = load_knowledge(loaded)
    ledger = SqlLedger.open_readonly(f"sqlite:///{loaded.ledger_path}")
    try:
        for line in explanation_lines(ledger, knowledge, asked, fault, heard=heard_of(loaded, asked)):
            print(harmless(line))
    finally:
        ledger.close()


@orders_app.command("list")
def list_orders(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    state: Annotated[str | None, typer.Option(help="A state, or open.")] = None,
) -> None:
    """List service orders, newest first."""
    from diagnostics.orders.model import OrderState
    from gateway.ledger.store import SqlLedger

    states = ["open", *(known.value for known in OrderState)]
    if state is not None and state not in states:
        raise typer.BadParameter(f"--state: expected one of {', '.join(states)}, got {state!r}")
    ledger = SqlLedger.open_readonly(f"sqlite:///{_configuration(config).ledger_path}")
    table = Table(box=None, pad_edge=False)
    for name in ("order", "opened", "state", "severity", "fault", "device"):
        table.add_column(name, no_wrap=True)
    try:
        cursor = None
        while True:
            page = ledger.orders(state=state, cursor=cursor, limit=500)
            for order in page.items:
                if as_json:
                    print(json.dumps(order.document(), ensure_ascii=False))
                    continue
                device = order.device
                name = f"{order.tenant}/{device.device_class}/{device.device} {device.component or ''}"
                table.add_row(
                    order.order_id, order.opened_at, order.state, order.fault.severity, order.fault.code, name
                )
            cursor = page.next
            if cursor is None:
                break
    finally:
        ledger.close()
    if not as_json:
        # Never cut: an order's number is there to be copied, also out of a pipe.
        Console(width=WIDEST).print(table if table.row_count else "No orders.")


@orders_app.command("show")
def show_order(
    order_id: Annotated[str, typer.Argument(help="SO-...")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one service order."""
    from gateway.cli.papers import order_lines
    from gateway.ledger.store import SqlLedger

    ledger = SqlLedger.open_readonly(f"sqlite:///{_configuration(config).ledger_path}")
    try:
        order = ledger.order(order_id)
    finally:
        ledger.close()
    if order is None:
        raise UserError(f"there is no order {order_id}")
    if as_json:
        print(json.dumps(order.document(), ensure_ascii=False))
    else:
        Console(highlight=False).print("\n".join(order_lines(order.document())), soft_wrap=True)


@app.command()
def telemetry(
    device: Annotated[str, typer.Argument(help="tenant/class/device")],
    signal: Annotated[str | None, typer.Option(help="Only this signal, or signal@component.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 or ms since 1970.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 or ms since 1970, exclusive.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated with a header.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print the stored readings of one device in order of time, whether the gateway runs or not."""
    from gateway.cli.history import stored_readings

    loaded = _configuration(config)
    readings = stored_readings(
        loaded, _device_id(device), signal=signal, start=_instant_option(start), end=_instant_option(end)
    )
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["ts", "signal", "component", "value"])
        writer.writerows([r.ts, cell(r.signal), cell(r.component), _csv_value(r)] for r in readings)
        return
    for reading in readings:
        name = f"{reading.signal}@{reading.component}" if reading.component else reading.signal
        print(f"{to_rfc3339(reading.ts)}  {name}  {_plain(reading) or 'unknown'}")


def _csv_value(reading: StoredReading) -> object:
    return cell(reading.value) if isinstance(reading.value, str) else _plain(reading)


def _plain(reading: StoredReading) -> str:
    """Return a value as devices spell it; nothing when the device could not read it."""
    value = reading.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
