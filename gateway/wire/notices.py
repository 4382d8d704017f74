"""Facts, status and reply: what devices say that is not telemetry, checked part by part."""

from gateway.wire.documents import Broken, parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.refusals import Refusals
from gateway.wire.telemetry import named
from gateway.wire.topics import IDENTIFIER
from gateway.wire.values import checked_scalar, checked_text, is_storable

REPLY_STATES = ("running", "passed", "failed", "unsupported", "error")

MAX_FACTS = 1_000  # of one message, those of components included
MAX_RESULT_DEPTH = 16

_TEXT_FACTS = ("model", "serial", "firmware", "os", "parent")
_ONLINE_WORDS = {"online": True, "on": True, "true": True, "offline": False, "off": False, "false": False}


def read_facts(payload: bytes, refusals: Refusals) -> dict[str, object]:
    """Return the facts of a payload; parts of no use are put aside one by one.

    Raises:
        Unusable: there is nothing to keep.
    """
    return checked_facts(_object(payload), refusals)


def checked_facts(document: dict[str, object], refusals: Refusals) -> dict[str, object]:
    """Return those facts of a document that can be kept."""
    facts: dict[str, object] = {}
    components: dict[str, object] = {}
    room = MAX_FACTS
    for name, value in document.items():
        if name != "components":
            room -= _keep(facts, name, value, refusals, room=room, where=name)
            continue
        if not isinstance(value, dict):
            refusals.add(QuarantineReason.WRONG_TYPE, f"components: expected an object, got {named(value)}")
            continue
        for component, stated in value.items():
            where = f"components.{shown(component)}"
            if not IDENTIFIER.fullmatch(component):
                refusals.add(QuarantineReason.BAD_KEY, f"{where}: expected 1 to 64 of A-Z a-z 0-9 _ . : -")
            elif not isinstance(stated, dict):
                refusals.add(QuarantineReason.WRONG_TYPE, f"{where}: expected an object, got {named(stated)}")
            else:
                kept: dict[str, object] = {}
                for part, fact in stated.items():
                    room -= _keep(kept, part, fact, refusals, room=room, where=f"{where}.{part}")
                components[component] = kept
    return {**facts, "components": components} if components else facts


def _keep(
    into: dict[str, object], name: str, value: object, refusals: Refusals, *, room: int, where: str
) -> int:
    """Keep one fact and return 1, or put it aside and return 0."""
    if not IDENTIFIER.fullmatch(name):
        refusals.add(QuarantineReason.BAD_KEY, f"expected 1 to 64 of A-Z a-z 0-9 _ . : -, got {shown(name)}")
        return 0
    if room < 1:
        refusals.add(QuarantineReason.TOO_MANY_FACTS, f"{where}: expected at most {MAX_FACTS} facts")
        return 0
    try:
        scalar = checked_scalar(value)
    except Unusable as finding:
        refusals.unusable(finding, where)
        return 0
    # A serial that a device sends as a number is a name all the same.
    number = isinstance(scalar, int | float) and not isinstance(scalar, bool)
    into[name] = str(scalar) if name in _TEXT_FACTS and number else scalar
    return 1


def read_status(payload: bytes) -> dict[str, object]:
    """Return ``{"online": bool}``; agents that send a bare word are understood.

    Raises:
        Unusable: it says neither online nor offline.
    """
    word = payload[:16].decode("utf-8", errors="replace").strip().strip('"\0').lower()
    if len(payload) <= 16 and word in _ONLINE_WORDS:
        return {"online": _ONLINE_WORDS[word]}
    online = _object(payload).get("online")
    if not isinstance(online, bool):
        raise Unusable(QuarantineReason.WRONG_TYPE, f"online: expected true or false, got {named(online)}")
    return {"online": online}


def read_reply(payload: bytes, refusals: Refusals) -> dict[str, object]:
    """Return ``id``, ``state`` and ``result`` of a device's answer to a command.

    Raises:
        Unusable: it cannot be told which command it answers, or how.
    """
    document = _object(payload)
    identifier, state = document.get("id"), document.get("state")
    if not isinstance(identifier, str) or not identifier:
        raise Unusable(
            QuarantineReason.WRONG_TYPE, f"id: expected the command's id, a text, got {named(identifier)}"
        )
    if state not in REPLY_STATES:
        got = shown(state) if isinstance(state, str) else named(state)
        raise Unusable(
            QuarantineReason.UNKNOWN_STATE, f"state: expected {', '.join(REPLY_STATES)}, got {got}"
        )
    result = document.get("result")
    try:
        checked = {} if result is None else _checked_result(result)
    except Unusable as finding:
        refusals.unusable(finding, "result")
        checked = {}
    return {"id": checked_text(identifier), "state": state, "result": checked}


def _checked_result(result: object) -> dict[str, object]:
    if not isinstance(result, dict):
        raise Unusable(QuarantineReason.WRONG_TYPE, f"expected an object, got {named(result)}")
    _check_tree(result, MAX_RESULT_DEPTH)
    return result


def _check_tree(value: object, depth: int) -> None:
    """Look through what a device may state freely for what no store can keep."""
    if depth < 0:
        raise Unusable(QuarantineReason.TOO_DEEP, f"expected at most {MAX_RESULT_DEPTH} levels")
    match value:
        case str():
            if not is_storable(value):
                raise Unusable(
                    QuarantineReason.BAD_TEXT, f"expected Unicode text without NUL, got {shown(value)}"
                )
        case list():
            for item in value:
                _check_tree(item, depth - 1)
        case dict():
            for name, item in value.items():
                _check_tree(name, depth)
                _check_tree(item, depth - 1)
        case Broken() | int() | float():
            checked_scalar(value)
        case _:
            pass


def _object(payload: bytes) -> dict[str, object]:
    document = parse_document(payload)
    if not isinstance(document, dict):
        raise Unusable(QuarantineReason.NOT_AN_OBJECT, f"expected a JSON object, got {named(document)}")
    return document
