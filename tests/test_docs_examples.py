import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from diagnostics.decision import Reason
from gateway.config import Config, DispatchTable, load_config
from gateway.events import Events
from gateway.wire.reasons import QuarantineReason
from rules.expression.build import FUNCTIONS
from rules.loader import load_rules
from rules.model import (
    FlappingEntry,
    OverrideEntry,
    PackEntry,
    RuleEntry,
    ScheduleEntry,
    SignalEntry,
    WayEntry,
)

TOP = Path(__file__).parent.parent
DOCS = TOP / "docs"
DEPLOY = TOP / "deploy"
PAGES = sorted(
    page
    for page in (*TOP.glob("*.md"), *DOCS.rglob("*.md"), *DEPLOY.rglob("*.md"))
    if page.name in ("README.md", "ARCHITECTURE.md") or page.parent != TOP
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def blocks(language: str) -> list[Any]:
    found_blocks = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            if found[1] == language:
                line = text.count("\n", 0, found.start()) + 1
                found_blocks.append(pytest.param(found[2], id=f"{page.relative_to(TOP)}:{line}"))
    return found_blocks


def is_pack(text: str) -> bool:
    return re.search(r"^pack:", text, re.MULTILINE) is not None


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, entry in model.model_fields.items():
        key = f"{prefix}{entry.alias or name}"
        kinds = (entry.annotation, *get_args(entry.annotation))
        table = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if table is None:
            yield key
        else:
            yield from keys_of(table, f"{key}.")


def prometheus(key: str) -> list[Any]:
    """What stands under a key in the files for Prometheus."""
    files = [yaml.safe_load(p.read_text(encoding="utf-8")) for p in (DEPLOY / "prometheus").glob("*.y*ml")]
    return [file[key] for file in files if key in file]


def first_cells(page: str) -> set[str]:
    """Names in the first cells of a page's tables."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[^`|]+`(?:, )?)+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_pack_in_the_documentation_loads(text: str, tmp_path: Path) -> None:
    if not is_pack(text):
        assert yaml.safe_load(text) is not None
        return
    pack = tmp_path / "pack.yaml"
    pack.write_text(text, encoding="utf-8")
    assert load_rules([pack]).rules


def test_the_language_page_shows_whole_packs() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert sum(is_pack(found[2]) for found in _FENCE.finditer(text) if found[1] == "yaml") >= 3


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_configuration_in_the_documentation_loads(text: str, tmp_path: Path) -> None:
    path = tmp_path / "forewarn.toml"
    path.write_text(text, encoding="utf-8")
    load_config(path, {})


def test_the_configuration_page_names_every_key_and_no_other() -> None:
    assert first_cells("configuration.md") == set(keys_of(Config))


def test_the_configuration_page_names_every_variable() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    expected = {
        "FOREWARN_" + key.upper().replace(".", "__")
        for key in keys_of(Config)
        if not key.startswith(("sources.", "dispatch."))
    }
    assert set(re.findall(r"`(FOREWARN_\w+)`", text)) - {"FOREWARN_TABLE__KEY"} == expected


def test_the_configuration_page_gives_the_defaults() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    plain = Config()
    told = re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|", text, re.MULTILINE)
    compared = 0
    for key, default in told:
        if key.startswith("sources."):
            continue
        listed = key.startswith("dispatch.")
        value: object = DispatchTable(name="a", kind="file") if listed else plain
        for part in key.removeprefix("dispatch.").split("."):
            value = getattr(value, part)
        told_value = tomllib.loads(f"value = {default}")["value"]
        assert told_value == (str(value) if isinstance(value, Path) else value), key
        compared += 1
    assert compared > 10


def test_the_page_of_reasons_names_every_reason_and_no_other() -> None:
    outcomes = {"order", "no_order", "pending", "note"}
    assert first_cells("reasons.md") - outcomes == {reason.value for reason in Reason}


def test_the_page_on_mqtt_names_every_reason_of_the_quarantine() -> None:
    assert {reason.value for reason in QuarantineReason} <= first_cells("quarantine.md")


def test_the_language_page_names_every_key_and_function() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    names = first_cells("rules.md")
    assert set(RuleEntry.model_fields) <= names
    assert {field.alias or name for name, field in ScheduleEntry.model_fields.items()} <= names
    assert set(SignalEntry.model_fields) <= names
    others = [name for entry in (PackEntry, FlappingEntry, OverrideEntry) for name in entry.model_fields]
    assert [name for name in others if f"`{name}`" not in text] == []
    assert [way for way in WayEntry.model_fields if f"`{{{way}: " not in text] == []
    functions = {name.partition("(")[0] for name in names if re.match(r"\w+\(", name)}
    assert functions == set(FUNCTIONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_point_at_what_is_there(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_configuration_to_deploy_loads() -> None:
    config = load_config(DEPLOY / "forewarn.toml", {})
    assert config.broker.url != "embedded"


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    exposed = generate_latest(Events().registry).decode()
    samples = {sample.name for family in text_string_to_metric_families(exposed) for sample in family.samples}
    bare = set(re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE))
    histograms = {name + suffix for name in bare for suffix in ("_bucket", "_sum", "_count")}
    rules = [rule for part in prometheus("groups") for group in part for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"forewarn_\w+", rule["expr"])}
    assert asked
    assert asked <= samples | bare | histograms
    assert all(rule["annotations"]["summary"] for rule in rules)


def test_prometheus_scrapes_where_the_gateway_listens() -> None:
    jobs = [job for part in prometheus("scrape_configs") for job in part]
    config = load_config(DEPLOY / "forewarn.toml", {})
    assert [job["static_configs"][0]["targets"] for job in jobs] == [[config.http.listen]]
