"""``forewarn devices provision``: into the registry, and all that a device needs to connect."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.config import Config, load_config
from gateway.errors import UserError
from rules.symbols import DeviceId

if TYPE_CHECKING:
    from diagnostics.orders.registry import DeviceEntry
    from gateway.mqtt.addresses import BrokerAddress

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]


class Method(StrEnum):
    """By what a device logs in."""

    PASSWORD = "password"  # noqa: S105  (a word)
    CERTIFICATE = "certificate"


def provision(
    devices: Annotated[list[str], typer.Argument(metavar="DEVICE...", help="tenant/class/device")],
    method: Annotated[Method, typer.Option(help="By what they log in.")] = Method.PASSWORD,
    broker: Annotated[str | None, typer.Option(help="mqtts://HOST:PORT as devices see it.")] = None,
    out: Annotated[Path, typer.Option(help="Folder; each device gets one of its own in it.")] = Path(
        "provisioned"
    ),
    password_file: Annotated[
        Path | None, typer.Option(help="mosquitto's password file; without it one in the folder.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long a certificate is valid.")] = 730,
    model: Annotated[str | None, typer.Option(help="For the registry.")] = None,
    serial: Annotated[str | None, typer.Option(help="For the registry; of one device.")] = None,
    owner: Annotated[str | None, typer.Option(help="For the registry, stands in its owners.")] = None,
    site: Annotated[str | None, typer.Option(help="For the registry, stands in its sites.")] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show each connection as a QR code.")] = False,
    config: ConfigOption = None,
) -> None:
    """Enter devices into the registry and make what they need to connect; again makes it anew."""
    from gateway.clock import SystemClock
    from gateway.provisioning import (
        Authority,
        Credentials,
        connection_of,
        enter_password,
        now_utc,
        qr_text,
        write_files,
    )

    loaded = load_config(config)
    if serial is not None and len(devices) > 1:
        raise UserError("--serial: expected one device")
    address = _address(loaded, broker)
    told = {"model": model, "serial": serial, "owner": owner, "site": site}
    entries = _entered(loaded, devices, {key: value for key, value in told.items() if value})
    now = now_utc(SystemClock().now())
    root = loaded.broker.topic_root
    authority = Authority.of(loaded.data_dir, now) if method is Method.CERTIFICATE else None
    accounts = password_file or out / "mosquitto.passwd"
    out.mkdir(parents=True, exist_ok=True)
    anew = 0
    for entry in entries:
        name = "/".join(entry.id)
        if authority is None:
            credentials = Credentials.of_chance()
            assert credentials.password is not None
            anew += enter_password(accounts, name, credentials.password)
        else:
            credentials = authority.sign_for(name, now, days)
        folder = out / "_".join(entry.id)
        files = write_files(folder, entry.id, address, root, credentials)
        print(f"{name}: {', '.join(path.name for path in files)} in {folder}")
        if qr:
            print("\n".join(qr_text(connection_of(entry.id, address, root, credentials))))
    if authority is None:
        print(f"the broker's accounts: {accounts}; mosquitto reads them anew on SIGHUP")
    else:
        (out / "ca.crt").write_bytes(authority.pem)
        print(f"the broker's cafile: {out / 'ca.crt'}")
    if anew:
        print(f"{anew} had an account already: the old password is no longer good")


def _address(config: Config, broker: str | None) -> "BrokerAddress":
    from gateway.mqtt.addresses import BrokerAddress

    url = broker or config.broker.url
    if url == "embedded":
        raise UserError("--broker: expected the broker's address as devices see it, mqtts://HOST:PORT")
    return BrokerAddress.of(url, username="", password="")


def _entered(config: Config, names: Sequence[str], told: dict[str, str]) -> "list[DeviceEntry]":
    """Put devices into the registry; what it knows of them already stays where nothing else is told.

    Raises:
        UserError: a name is none, or an owner or a site is unknown; then nothing was entered.
    """
    from gateway.csv_tables import Row
    from gateway.registry import load_files
    from gateway.registry_database import RegistryDatabase
    from gateway.registry_import import Known
    from gateway.registry_rows import RegistryReader

    config.data_dir.mkdir(parents=True, exist_ok=True)
    database = RegistryDatabase(config.registry_path, config.regions)
    try:
        files = load_files(config.registry_dir, database)
        reader = RegistryReader(Path(), Known(files, database))
        entries = []
        for name in names:
            parts = name.split("/")
            if len(parts) != 3:
                raise UserError(f"expected a device as tenant/class/device, got {name!r}")
            device = DeviceId(*parts)
            if told and device in files.devices:
                raise UserError(f"{name} stands in {config.registry_dir / 'devices.csv'}: change it there")
            known = files.devices.get(device) or database.devices.get(device)
            cells = dict(zip(("tenant", "class", "device"), parts, strict=True)) | _known(known) | told
            entries.append(reader.device(Row(name, 0, cells, reader.problems)))
        if reader.problems:
            raise UserError("\n".join(problem.replace(":0:", ":", 1) for problem in reader.problems))
        with database.writing():
            database.put_devices([entry for entry in entries if entry.id not in files.devices])
            database.settle_homes(database.regions_of(files), files)
    finally:
        database.close()
    return entries


def _known(entry: "DeviceEntry | None") -> dict[str, str]:
    if entry is None:
        return {}
    named = ("model", "serial", "firmware", "parent", "owner", "site")
    cells = {name: getattr(entry, name) for name in named}
    bought = {"bought": entry.bought.isoformat()} if entry.bought else {}
    return {name: cell for name, cell in cells.items() if cell} | bought
