"""Holds, ways and severities change at the exact moment, in one batch and each message in its own."""

import pytest
from sidebyside import MINUTE, clocked, run_engine, run_oracle, write_pack

from rules.symbols import DeviceId

SERVER = DeviceId("acme", "server", "s")
HOT, COLD = {"cpu.load": 3.0}, {"cpu.load": 1.0}


def story_of(*said):
    """Return a message a minute, with what it says; the first has minute 1."""
    return list(clocked([(SERVER, 1, 1, values) for values in said], [SERVER]))


@pytest.mark.parametrize("alone", [False, True], ids=["one batch", "each alone"])
@pytest.mark.parametrize(
    ("rule", "said", "expected"),
    [
        ({"hold": "3m"}, [HOT] * 3, []),
        ({"hold": "3m"}, [HOT] * 5, [("suspected", 4)]),
        (
            {"hold": "3m"},
            [HOT, {}, {}, {}],
            [("suspected", 4)],
        ),  # its timer, not its signal, has it looked at
        ({"clear_hold": "2m"}, [HOT, COLD, COLD], [("suspected", 1)]),
        ({"clear_hold": "2m"}, [HOT, COLD, COLD, COLD, COLD], [("suspected", 1), ("cleared", 4)]),
        ({"confirm": {"any_of": [{"held": "2m"}]}}, [HOT] * 5, [("suspected", 1), ("ways", 3)]),
        ({"confirm": {"any_of": [{"held": "2m"}]}}, [HOT, {}, {}], [("suspected", 1), ("ways", 3)]),
        (
            {"confirm": {"any_of": [{"also": "cpu.load > 4"}]}},
            [HOT, {"cpu.load": 5.0}, HOT],
            [("suspected", 1), ("ways", 2), ("ways", 3)],
        ),
        (
            {"severity_when": {"critical": "cpu.load > 4"}},
            [HOT, {"cpu.load": 5.0}, {"cpu.load": 5.0}, HOT],
            [("suspected", 1), ("severity", 2), ("severity", 4)],
        ),
        (
            {"flapping": {"window": "10m", "start": 3, "stop": 1}},
            [HOT, COLD, HOT, HOT, *[HOT] * 8],
            [("suspected", 1), ("cleared", 2), ("suspected", 3), ("flapping", 3), ("steady", 12)],
        ),
    ],
)
def test_the_moment_is_exact(tmp_path, rule, said, expected, alone):
    ruleset = write_pack(
        tmp_path, [{"fault": "x.y", "for_devices": {"class": "server"}, "when": "cpu.load > 2", **rule}]
    )
    story = story_of(*said)
    found = run_engine(ruleset, story, set(range(len(story))) if alone else set())
    assert [(kind, at // MINUTE - 1000) for kind, at, *_ in found] == expected
    assert found == run_oracle(ruleset, story)
