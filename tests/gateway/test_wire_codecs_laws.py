"""What holds for every codec, whatever it is given; codecs that are added are covered at once.

Documents are made of the words that stand in a codec's own source, so that they reach deep into it.
"""

import ast
import importlib
import inspect
import json
import re
from functools import cache

import captures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ports import Packet
from gateway.wire.codecs import CODECS, Extract, Foreign
from gateway.wire.decoder import Decoder
from gateway.wire.profiles import load_profile, profile_names
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000
CATALOGUE = load_catalogue()
PROFILES = {name: load_profile(name) for name in profile_names()}

#: Codec and profile, and every codec without any.
MADE = [(codec, None) for codec in CODECS] + [(profile.codec, name) for name, profile in PROFILES.items()]
every_way = pytest.mark.parametrize(("codec", "profile"), MADE)


def made(codec, profile):
    if profile is None:
        return CODECS[codec](SignalMap({}, CATALOGUE))
    return CODECS[codec](SignalMap(PROFILES[profile].signals, CATALOGUE), PROFILES[profile].options)


@cache
def words(codec):
    """Return the short texts in a codec's source: keys, topic levels, words that it looks for."""
    return sorted(_texts(CODECS[codec].__module__, deep=True))


@cache
def keys(codec):
    """Return those of a codec's words that stand in its own file and may be keys of a document."""
    found = _texts(CODECS[codec].__module__, deep=False)
    return sorted(text for text in found if re.fullmatch(r"[A-Za-z_$][\w.$:-]*", text))[:60]


def _texts(module, *, deep):
    """Return the short texts in a module; deep: and in the codecs' modules that it takes something from."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if re.fullmatch(r"[^\s{}]{1,40}", text):
                found.add(text)
            case ast.ImportFrom(module=str(other)) if deep and other.startswith("gateway.wire.codecs."):
                found |= _texts(other, deep=True)
    return found


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([10**400, 2**53, ARRIVAL, ARRIVAL // 1000, "\ud800", "1e5", "nan", "", "2026-01-01"])
)


def documents(codec, profile):
    own = list(PROFILES[profile].signals) if profile else []
    text = st.sampled_from([*words(codec), *own]) | st.text(max_size=6)

    def around(inner):
        return st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=6)

    any_value = st.recursive(scalars | text, around, max_leaves=10)
    # Many of the keys that a codec looks for, at once: only together do they lead far into it.
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(keys(codec), any_value))
    return any_value | known | st.lists(known, max_size=3) | st.dictionaries(text, known, max_size=3)


def topics(codec, profile):
    """Return topics that the profile's filters take, made of the codec's words, and any others."""
    level = st.sampled_from([*words(codec), "host-1", "0"]) | st.text(max_size=6)
    filters = PROFILES[profile].topics if profile else ("#",)

    def filled(draw_filter, levels):
        drawn = iter(levels)
        return "/".join(next(drawn, "x") if part in ("+", "#") else part for part in draw_filter.split("/"))

    rest = st.lists(level, min_size=1, max_size=8)
    return st.text(max_size=30) | st.builds(
        lambda pattern, levels, more: f"{filled(pattern, levels)}/{'/'.join(more)}".rstrip("/"),
        st.sampled_from(list(filters)),
        rest,
        st.lists(level, max_size=4),
    )


def payloads(codec, profile):
    document = documents(codec, profile).map(lambda it: json.dumps(it).encode())
    lines = st.lists(st.sampled_from(words(codec)) | st.text(max_size=6), max_size=12)
    text = st.builds(
        lambda parts, glue: glue.join(parts).encode("utf-8", "surrogatepass"),
        lines,
        st.sampled_from([" ", ",", "=", ":", "\n", "/"]),
    )
    return st.binary(max_size=200) | document | text


def check(codec, message):
    """Decode a message and hold what comes out against what every codec promises."""
    refused, extracts = [], []
    try:
        extracts.extend(codec.decode(message))
    except Unusable as finding:
        refused.append((finding.reason, finding.detail))
    refused += [part for extract in extracts for part in extract.refused]
    assert all(reason in set(QuarantineReason) and detail for reason, detail in refused)
    for extract in extracts:
        assert isinstance(extract, Extract)
        assert extract.device is None or isinstance(extract.device, str)
        assert extract.online in (True, False, None)
        assert all(isinstance(key, str) for key in extract.values)
        assert all(isinstance(key, str) for key in extract.facts)


def remembered(codec):
    return json.loads(json.dumps(codec.state(), allow_nan=False))


@pytest.mark.parametrize("examples", [25, pytest.param(400, marks=pytest.mark.slow)])
@every_way
def test_any_message_gives_extracts_or_a_reason_and_what_is_remembered_survives_a_restart(
    codec, profile, examples
):
    @settings(max_examples=examples)
    @given(st.lists(st.tuples(topics(codec, profile), payloads(codec, profile)), min_size=1, max_size=5))
    def law(messages):
        one = made(codec, profile)
        for topic, payload in messages:
            check(one, Foreign(topic, payload, ARRIVAL))
        other = made(codec, profile)
        other.restore(remembered(one))
        assert remembered(other) == remembered(one)

    law()


@pytest.mark.parametrize("codec", CODECS)
def test_restoring_anything_raises_nothing_and_leaves_a_codec_that_works(codec):
    @settings(max_examples=25)
    @given(documents(codec, None), topics(codec, None), payloads(codec, None))
    def law(state, topic, payload):
        one = made(codec, None)
        one.restore(state)
        check(one, Foreign(topic, payload, ARRIVAL))
        remembered(one)

    law()


@pytest.mark.parametrize("codec", CODECS)
def test_unknown_options_are_named(codec):
    with pytest.raises(ValueError, match="no_such_option: unknown option, expected"):
        CODECS[codec](SignalMap(), {"no_such_option": 1})


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_through_the_decoder_nothing_is_raised(profile):
    codec = PROFILES[profile].codec

    @settings(max_examples=15)
    @given(topics(codec, profile), payloads(codec, profile), st.booleans())
    def law(topic, payload, retained):
        decoder = Decoder(Symbols(), CATALOGUE, sources=[captures.source(profile)])
        inbound = decoder.decode([Packet(topic, payload, ARRIVAL, retained)])
        assert all(rejected.reason in set(QuarantineReason) for rejected in inbound.rejected)
        for notice in inbound.notices:
            json.dumps(notice.body, allow_nan=False)

    law()


def changes():
    """Return ways to damage a payload: cut, doubled, bytes put in place of others."""
    place = st.floats(0, 1, exclude_max=True)
    cut = place.map(lambda at: lambda payload: payload[: int(at * len(payload))])
    put = st.builds(
        lambda at, piece: (
            lambda payload: (
                payload[: int(at * len(payload))] + piece + payload[int(at * len(payload)) + len(piece) :]
            )
        ),
        place,
        st.binary(min_size=1, max_size=4) | st.sampled_from([b"null", b'"', b"{", b"[", b"}", b"-1", b"nan"]),
    )
    twice = st.just(lambda payload: payload * 2)
    return st.lists(put | cut | twice, min_size=1, max_size=3)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", captures.CAPTURES)
def test_damaged_captures_give_extracts_or_a_reason(name):
    messages = captures.messages(name)
    read_by = captures.profiles(name)

    @settings(max_examples=100)
    @given(
        st.sampled_from(read_by),
        st.lists(st.tuples(st.sampled_from(messages), changes()), min_size=1, max_size=4),
    )
    def law(profile, damaged):
        one = made(PROFILES[profile].codec, profile)
        for packet, ways in damaged:
            payload = packet.payload
            for way in ways:
                payload = way(payload)
            check(one, Foreign(packet.topic, payload, packet.arrival))
        other = made(PROFILES[profile].codec, profile)
        other.restore(remembered(one))

    law()


def test_the_words_of_a_codec_are_found():
    assert {"ata_smart_attributes", "local_time"} <= set(words("smartctl"))


def test_a_codec_that_breaks_the_law_is_caught():
    class Careless(CODECS["smartctl"]):
        def decode(self, message):
            return [Extract(values={1: message.payload})]

    with pytest.raises(AssertionError):
        check(Careless(SignalMap()), Foreign("a", b"b", ARRIVAL))
