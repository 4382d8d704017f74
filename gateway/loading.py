"""What a gateway is made of besides its stores: rules, faults, registry; read whole, refused with places."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diagnostics.faults import FaultCatalogue, load_faults
from diagnostics.orders.policy import OrderPolicies
from diagnostics.orders.registry import Registry
from gateway.config import Config
from gateway.dispatch.targets import Target
from gateway.errors import UserError
from gateway.pipeline import Pipeline, Settings
from gateway.registry import load_registry
from gateway.wire.decoder import Decoder
from gateway.wire.ingest import ingest_sources
from gateway.wire.sources import Source
from rules.loader import PackError, RuleSet, load_rules
from rules.symbols import Symbols
from rules.times import parse_duration

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Rules, faults and registry, checked."""

    ruleset: RuleSet
    faults: FaultCatalogue
    registry: Registry


def own_packs(config: Config) -> Path:
    """Return the folder in which the user's own packs are written from the console.

    It is the first folder that ``rules.packs`` names, or else one of the data folder, which is loaded after
    the packs that are named as soon as there is a pack in it.
    """
    named = (Path(pack) for pack in config.rules.packs if pack != BUILTIN)
    return next((path for path in named if path.is_dir()), config.data_dir / "packs")


def pack_sources(config: Config) -> list[str | Path]:
    """Return where the packs of a configuration stand, in the order in which they are loaded.

    Raises:
        PackError: one that is named is not there.
    """
    absent = [pack for pack in config.rules.packs if pack != BUILTIN and not Path(pack).exists()]
    if absent:
        expected = f"{config.place('rules.packs')}: expected {BUILTIN}, a file or a folder"
        raise PackError([f"{expected}, got {pack!r}: there is none" for pack in absent])
    sources: list[str | Path] = [*config.rules.packs]
    own = config.data_dir / "packs"
    if own == own_packs(config) and any(own.glob("*.yaml")):
        sources.append(own)
    return sources


def load_packs(config: Config) -> RuleSet:
    """Load the rule packs of a configuration.

    Raises:
        PackError: any of them is wrong; nothing is loaded.
    """
    return load_rules(pack_sources(config))


def load_knowledge(config: Config, packs: list[str | Path] | None = None) -> Knowledge:
    """Load what the configuration names; `packs` in place of ``rules.packs``.

    Raises:
        UserError: sentences with file, line, key, what was expected and what stood there.
    """
    problems = []
    ruleset = registry = None
    try:
        ruleset = load_packs(config) if packs is None else load_rules(packs)
    except PackError as error:
        problems += error.problems
    try:
        registry = load_registry(config.registry_dir, config.registry_path, config.regions)
    except UserError as error:
        problems.append(str(error))
    if ruleset is None or registry is None:
        raise UserError("\n".join(problems))
    return Knowledge(ruleset, load_faults(), registry)


def build_pipeline(
    config: Config, knowledge: Knowledge, symbols: Symbols, console_url: str | None
) -> Pipeline:
    """Return a pipeline as configured."""
    return Pipeline(
        symbols=symbols,
        ruleset=knowledge.ruleset,
        faults=knowledge.faults,
        registry=knowledge.registry,
        settings=pipeline_settings(config, console_url),
    )


def pipeline_settings(config: Config, console_url: str | None) -> Settings:
    """Return what the configuration tells a pipeline."""
    return Settings(
        policies=OrderPolicies(
            config.orders.unknown_device,
            config.orders.out_of_warranty,
            cancel_on_recovery=config.orders.cancel_on_recovery,
            reopen_window_ms=parse_duration(config.orders.reopen_window),
        ),
        probe_deadline_ms=parse_duration(config.orders.probe_deadline),
        console_url=console_url,
        topic_root=config.broker.topic_root,
    )


def build_decoder(config: Config, knowledge: Knowledge, symbols: Symbols) -> Decoder:
    """Return a decoder as configured."""
    return Decoder(
        symbols,
        knowledge.ruleset.catalogue,
        root=config.broker.topic_root,
        max_payload=config.intake.max_payload,
        sources=[
            *(Source.of(table, position) for position, table in enumerate(config.sources)),
            *ingest_sources(config.sources),
        ],
    )


def load_targets(config: Config) -> list[Target]:
    """Make the targets of dispatch, with their secrets read.

    Raises:
        UserError: a file of secrets cannot be read, or what stands in it is none.
    """

    def place(position: int, key: str) -> str:
        return config.place(f"dispatch.{position}.{key}")

    return [Target.of(table, partial(place, position)) for position, table in enumerate(config.dispatch)]
