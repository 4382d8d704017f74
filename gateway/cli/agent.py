"""``forewarn agent``: this machine as a device."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.logs import configure_logs
from gateway.errors import UserError
from gateway.mqtt.addresses import BrokerAddress
from rules.times import SECOND_MS, parse_duration

_LEAST_SECONDS = 1


def agent(
    broker: Annotated[str | None, typer.Option(help="mqtt://HOST:PORT or mqtts://...")] = None,
    tenant: Annotated[str | None, typer.Option(help="The brand that the service desk works for.")] = None,
    device_class: Annotated[
        str | None, typer.Option("--class", help="pc or server; without, what the chassis says.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="The device's name; without, the host's.")] = None,
    interval: Annotated[str, typer.Option(help="Between two readings.")] = "30s",
    drives_every: Annotated[str, typer.Option(help="Between two readings of the drives.")] = "1h",
    username: Annotated[str | None, typer.Option(help="At the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File that holds the password.")] = None,
    root: Annotated[str, typer.Option(help="First levels of the topics.")] = "fw",
    once: Annotated[bool, typer.Option("--once", help="Send one report and end.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Show one report; needs no broker.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Write a systemd unit that runs this.")] = False,
) -> None:
    """Report this machine's own health as a device, and run the self tests that it is asked for."""
    from gateway.agent.agent import Agent, Periods
    from gateway.agent.identity import device_id
    from gateway.agent.publishing import Link
    from gateway.cli.running import run_until_signalled

    if once + show + install > 1:
        raise typer.BadParameter("expected at most one of --once, --print and --install")
    periods = Periods(_seconds("--interval", interval), _seconds("--drives-every", drives_every))
    identity = device_id(tenant or _tenant(show), device_class, device)
    if show:
        configure_logs()

        async def shown(_stop: asyncio.Event) -> None:
            for line in await Agent(periods).lines(root, identity):
                print(line)

        run_until_signalled(shown)
        return
    address = _address(broker, username, password_file)
    if install:
        if address.password is not None and password_file is None:
            raise UserError("--broker: a unit is for all to read; put the password into a --password-file")
        options = {
            "--broker": address.url,
            "--tenant": identity.tenant,
            "--class": device_class,
            "--device": device,
            "--interval": interval,
            "--drives-every": drives_every,
            "--username": address.username,
            "--password-file": str(password_file.resolve()) if password_file else None,
            "--root": root,
        }
        _install([word for name, text in options.items() if text is not None for word in (name, text)])
        return
    link = Link(address, identity, root, persistent=not once)

    configure_logs()

    async def reporting(stop: asyncio.Event) -> None:
        running = Agent(periods)
        await (running.report_once(link, stop) if once else running.run(link, stop))

    run_until_signalled(reporting)


def _tenant(show: bool) -> str:
    if not show:
        raise typer.BadParameter("--tenant: expected the brand that the service desk works for")
    return "TENANT"


def _seconds(option: str, text: str) -> float:
    try:
        seconds = parse_duration(text) / SECOND_MS
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from None
    if seconds < _LEAST_SECONDS:
        raise typer.BadParameter(f"{option}: expected {_LEAST_SECONDS}s or more, got {text!r}")
    return seconds


def _address(broker: str | None, username: str | None, password_file: Path | None) -> BrokerAddress:
    if broker is None:
        raise typer.BadParameter("--broker: expected mqtt://HOST:PORT or mqtts://HOST:PORT")
    password = None
    if password_file is not None:
        try:
            password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "expected UTF-8"
            raise UserError(f"--password-file: {password_file}: {why}") from None
    return BrokerAddress.of(broker, username=username, password=password)


def _install(arguments: list[str]) -> None:
    from gateway.agent.unit import UNIT_NAME, write_unit

    path = write_unit([str(Path(sys.argv[0]).resolve()), "agent", *arguments])
    print(
        f"{path} is written. It begins with:\n"
        f"  systemctl daemon-reload\n"
        f"  systemctl enable --now {UNIT_NAME}\n"
        f"and its log is shown by:\n"
        f"  journalctl -u {UNIT_NAME}"
    )
