"""What stands beside the charts of a device: facts, components, registry entry, neighbours, silences."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from diagnostics.orders.terms import Term
from diagnostics.silences import Silence
from gateway.api.installed import Entry
from gateway.console.language import t
from gateway.console.links import device_path, with_filters
from gateway.console.parts import Cell, Row, Time, box, column, fact, link, text
from gateway.console.words import NONE, fact_words, words_of
from rules.symbols import DeviceId

#: Facts that have a place of their own.
_ELSEWHERE = ("components", "parent")


def draw_facts(facts: Mapping[str, object]) -> None:
    """Draw what a device says of itself."""
    plain = {name: value for name, value in facts.items() if name not in _ELSEWHERE}
    if not plain:
        text("dt", t("It has said nothing of itself."), "quiet")
    for name, value in plain.items():
        with fact(t(fact_words(name))):
            text("span", value_of(value))


def component_columns() -> list[dict[str, str]]:
    """Return the columns of a device's components."""
    return [column("name", t("Component")), column("what", t("What it is"), "wide")]


def component_rows(facts: Mapping[str, object]) -> list[Row]:
    """Return a row for each component that a device names."""
    components = facts.get("components")
    if not isinstance(components, dict):
        return []
    rows: list[Row] = []
    for name, details in components.items():
        known = details if isinstance(details, dict) else {"": details}
        serial = known.get("serial")
        what = ", ".join(value_of(value) for key, value in known.items() if key != "serial")
        cells: dict[str, Cell | None] = {
            "name": {"text": str(name), "tone": "code"},
            "what": {"text": what or NONE, "sub": value_of(serial) if serial is not None else ""},
        }
        rows.append({"key": str(name), "cells": cells})
    return rows


def value_of(value: object) -> str:
    """Return a fact as text; one of several parts with its parts."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_of(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(value_of, value))
    return str(value)


def draw_entry(entry: Entry | None) -> None:
    """Draw what the registry knows: owner, site, purchase, and what covers it."""
    if entry is None:
        text("p", t("It does not stand in the registry."), "quiet")
        return
    device, owner, site = entry.device, entry.owner, entry.site
    with box("dl", "facts"):
        _known(t("Owner"), (owner.name or owner.id) if owner else None)
        _known(t("Contact"), owner.contact if owner else None)
        _known(t("Address"), site.address if site else None)
        _known(t("Site"), ", ".join(filter(None, (site.id, site.country))) if site else None)
        _known(t("Bought"), device.bought.isoformat() if device.bought else None)
        for name, value in (
            ("model", device.model),
            ("serial", device.serial),
            ("firmware", device.firmware),
        ):
            if value:
                _known(t("{fact}, registry", fact=t(fact_words(name))), value)
    if not entry.terms and not entry.undated:
        text("p", t("No warranty and no contract covers it."), "quiet")
    with box("ul", "terms"):
        for term in entry.terms:
            _term(term, entry.today)
        for coverage, why in entry.undated:
            with box("li"):
                text("b", t(words_of(coverage.kind)))
                text("span", why, "term-words")


def _known(name: str, value: str | None) -> None:
    with fact(name):
        text("span", value or t("not known"), "" if value else "quiet")


def _term(term: Term, today: date) -> None:
    coverage = term.extension or term.coverage
    with box("li"):
        text("b", t(words_of(coverage.kind)))
        if not term.here:
            text("span", t("not valid in its country"), "chip")
        elif term.in_force(today):
            text("span", t("in force"), "chip good")
        else:
            text("span", t("over") if term.ended(today) else t("begins later"), "chip")
        if term.starts is not None and term.starts > today:
            text("span", t("from {day}", day=term.starts.isoformat()), "quiet")
        if term.ends is not None:
            text("span", t("until {day}", day=term.ends.isoformat()), "quiet")
        words = ", ".join(filter(None, (coverage.text, coverage.contract)))
        if words:
            text("span", words, "term-words")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A device that stands near: how, and how many cases are open on it."""

    device: DeviceId
    open_cases: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands near a device, a few of each kind.

    Attributes:
        parent: what it is a part of, or connected through; None when it names none.
        parent_known: whether there is a page of the parent.
        alike: same model, with open cases.
    """

    parent: DeviceId | None
    parent_known: bool
    parts: tuple[Neighbour, ...]
    at_site: tuple[Neighbour, ...]
    alike: tuple[Neighbour, ...]
    site: str | None
    model: str | None


def draw_neighbours(near: Neighbours) -> None:
    """Draw the links to what stands near."""
    with box("dl", "facts"), fact(t("Part of")):
        if near.parent is None:
            text("span", t("nothing"), "quiet")
        elif near.parent_known:
            link(near.parent.device, device_path(near.parent))
        else:
            text("span", near.parent.device)
    for title, found in (
        (t("Its parts"), near.parts),
        (t("At the same site, {site}", site=near.site or ""), near.at_site),
        (t("Same model, with open cases"), near.alike),
    ):
        if found:
            text("h3", title)
            with box("ul", "near"):
                for one in found:
                    _neighbour(one)
    if near.model:
        find = with_filters("/devices", find=near.model)
        link(t("All devices of this model"), find)


def _neighbour(one: Neighbour) -> None:
    with box("li"):
        link(one.device.device, device_path(one.device))
        if one.open_cases:
            text("span", t("{number} open", number=one.open_cases), "chip failed")


def draw_silences(silences: list[Silence]) -> None:
    """Draw the silences that fit a device now."""
    for silence in silences:
        with box("p", "silence"):
            text("b", t("Silenced until"))
            Time(silence.ends)
            text(
                "span", ", ".join(f"{name} {value}" for name, value in silence.match.given().items()), "code"
            )
            text("span", f"{silence.created_by}: {silence.note}")


def today_of(now: int) -> date:
    """Return the day of an instant, UTC."""
    return datetime.fromtimestamp(now / 1000, UTC).date()
