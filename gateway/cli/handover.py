"""``forewarn devices handover``: a device's own data for a third party, signed, and its check."""

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.groups import group_of
from gateway.config import load_config
from gateway.errors import UserError
from rules.symbols import DeviceId

HELP = "Devices and what is known of them, also while the gateway runs."

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]


def register_handover(app: typer.Typer) -> None:
    """Add the commands to the group ``devices``."""
    devices = group_of(app, "devices", HELP)
    devices.command()(handover)
    devices.command()(verify)
    devices.command()(key)


def handover(
    device: Annotated[str, typer.Argument(help="tenant/class/device")],
    out: Annotated[Path, typer.Option(help="The archive (zip); must not exist.")],
    config: ConfigOption = None,
) -> None:
    """Write all that is stored of a device, without people's data, as one signed archive.

    For the third party that the device's user names; Regulation (EU) 2023/2854 (Data Act), article 5.
    """
    from gateway.cli.history import stored_readings
    from gateway.ledger.store import SqlLedger
    from gateway.loading import load_packs
    from gateway.papers.handover import collected, write_archive
    from gateway.papers.signing import SigningKey

    parts = device.split("/")
    if len(parts) != 3 or not all(parts):
        raise UserError(f"expected a device as tenant/class/device, got {device!r}")
    asked = DeviceId(*parts)
    loaded = load_config(config)
    readings = (
        stored_readings(loaded, asked, signal=None, start=None, end=None)
        if loaded.history_path.exists()
        else []
    )
    ledger = SqlLedger.open_readonly(f"sqlite:///{loaded.ledger_path}")
    try:
        found = collected(asked, ledger, readings)
    finally:
        ledger.close()
    if found.empty:
        raise UserError(f"nothing is stored of {asked}")
    manifest = write_archive(
        found,
        load_packs(loaded).catalogue,
        SigningKey.of(loaded.data_dir),
        out,
        made_at=int(time.time() * 1000),
    )
    counts = f"{manifest['readings']:,} readings, {len(found.cases)} cases, {len(found.orders)} orders"
    print(f"{out}: {counts}, signed; without {', '.join(manifest['withheld'])}")


def verify(
    archive: Annotated[Path, typer.Argument(help="What handover wrote.")],
    key_file: Annotated[
        Path | None,
        typer.Option("--key", help="The sender's public key (PEM); without, the one in the archive."),
    ] = None,
) -> None:
    """Check that nothing in an archive was changed since it was signed."""
    from gateway.papers.handover import check_archive

    public = None
    if key_file is not None:
        try:
            public = key_file.read_bytes()
        except OSError as error:
            raise UserError(f"{key_file}: {error.strerror}") from None
    manifest = check_archive(archive, public)
    by = (
        "by the key that was given" if public else "by the key in it; --key says whether that is the sender's"
    )
    print(f"{archive}: whole, {manifest['device']}, made {manifest['made_at']}, signed {by}")


def key(config: ConfigOption = None) -> None:
    """Print the public key of this gateway's hand-overs (PEM)."""
    from gateway.papers.signing import SigningKey

    print(SigningKey.of(load_config(config).data_dir).public_pem.decode("ascii"), end="")
