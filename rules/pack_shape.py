"""The shape of a pack: which keys there are and what kind of value each takes, in plain words."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.document import Document, Path
from rules.expression.build import spelled_like
from rules.model import PATTERN_WORDS, PackEntry

#: What each kind of problem expected; names in braces come from the problem.
_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a whole number of at least {ge}",
    "too_short": "at least one entry",
}
#: What is missing where a key is.
_MISSING = {
    "pack": "the name of the pack",
    "id": "an id",
    "fault": "the code of a fault",
    "when": "a condition",
    "title": "a title",
    "rule": "the id of a rule",
    "for_devices": "which devices",
    "limits": "limits by name",
    "window": "a duration such as 1h",
    "start": "a whole number of changes",
    "stop": "a whole number of changes",
}
_SECTIONS = ("signals", "rules", "overrides")


def read_pack(document: Document, problems: list[str]) -> PackEntry | None:
    """Return a pack whose keys and values have the right shape, None when not; why is added to `problems`."""
    try:
        pack = PackEntry.model_validate(document.value)
    except ValidationError as error:
        told = dict.fromkeys(_problem(document, problem) for problem in error.errors())
        problems.extend(told)
        return None
    if not pack.model_fields_set.intersection(_SECTIONS):
        problem = f"expected at least one of {', '.join(_SECTIONS)}, they are missing"
        problems.append(document.report((), problem))
        return None
    return pack


def _problem(document: Document, problem: ErrorDetails) -> str:
    path = _path(problem["loc"], document.value, missing=problem["type"] in ("missing", "extra_forbidden"))
    name = str(path[-1]) if path else ""
    if problem["type"] == "missing":
        return document.report(path, f"expected {_MISSING.get(name, 'a value')}, it is missing")
    if problem["type"] == "extra_forbidden":
        known = _keys(path[:-1])
        hint = spelled_like(name, known) or f", expected one of: {', '.join(known)}"
        return document.report(path, f"unknown key{hint}")
    return document.report(path, f"{_expected(problem, path)}, got {_shown(problem['input'])}")


def _path(location: tuple[str | int, ...], value: object, *, missing: bool) -> Path:
    """Return where a problem is: pydantic's location less the names of the types that it tried there."""
    path: list[str | int] = []
    for index, part in enumerate(location):
        held = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(held, Mapping) and part in held:
            value = held[part]
        elif not (missing and index == len(location) - 1):
            continue
        path.append(part)
    return tuple(path)


def _expected(problem: ErrorDetails, path: Path) -> str:
    context: dict[str, Any] = problem.get("ctx", {})
    kind = problem["type"]
    if "for_devices" in path[:-1]:
        return "expected a text, a number, true, false or a list of these"
    if kind == "value_error":
        return problem["msg"].removeprefix("Value error, ").partition(", got ")[0]
    if kind == "string_pattern_mismatch":
        return f"expected {PATTERN_WORDS[context['pattern']]}"
    if kind == "literal_error":
        words = context["expected"].replace("'", "")
        return f"expected {'true' if words == 'True' else words}"
    return f"expected {_EXPECTED[kind].format(**context)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
    return repr(value)


def _keys(path: Path) -> list[str]:
    """Return the keys that an entry of a pack may have."""
    kind: Any = PackEntry
    for part in path:
        kind = _within(kind, part)
    kind = _bare(kind)
    return sorted(field.alias or name for name, field in kind.model_fields.items())


def _within(kind: Any, part: str | int) -> Any:
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return next(f.annotation for n, f in kind.model_fields.items() if (f.alias or n) == part)
    return get_args(kind)[-1]


def _bare(kind: Any) -> Any:
    """Return a type without what pydantic notes beside it and without None."""
    while hasattr(kind, "__metadata__") or get_origin(kind) in (Union, UnionType):
        kind = get_args(kind)[0]
    return kind
