"""What holds for every shipped profile."""

import pytest

from gateway.config import SourceTable
from gateway.wire.profiles import load_profile, profile_names
from gateway.wire.signalmap import SignalMap
from gateway.wire.sources import Source
from rules.signals import load_catalogue

CATALOGUE = load_catalogue()
#: Beginnings of signals of which the shipped rules make a lane a component.
LANES = ("cpu", "disk", "fan", "memory", "nvme", "psu", "raid", "nic", "battery")


@pytest.mark.parametrize("name", profile_names())
def test_one_line_is_enough(name):
    source = Source.of(SourceTable.model_validate({"profile": name}), 0)
    assert load_profile(name).title
    assert source.topics


@pytest.mark.parametrize("name", profile_names())
def test_what_a_profile_calls_by_a_part_of_ours_is_a_signal_of_ours(name):
    """Another name that begins like one would give the rules a lane of something that is no such part."""
    strangers = []
    for foreign, key in load_profile(name).signals.items():
        signal, at, component = key.partition(" [")[0].partition("@")
        if at and component and signal.partition(".")[0] in LANES and signal not in CATALOGUE:
            strangers.append((foreign, key))
    assert strangers == []


@pytest.mark.parametrize(
    ("profile", "name", "component"),
    [
        ("collectd", "cpu-0/cpu-idle", ""),
        ("collectd", "disk-sda/disk_ops/read", ""),
        ("telegraf", "percpu/usage_idle", "cpu0"),
        ("telegraf", "disk/used_percent", "root"),
        ("telegraf", "sensors/coretemp-isa-0000/core_0/temp_input", "coretemp-isa-0000:core_0"),
        ("glances", "percpu/0/total", ""),
        ("node-exporter", "node_cpu_seconds_total/0/idle", ""),
    ],
)
def test_logical_processors_cores_and_file_systems_are_no_parts_of_ours(profile, name, component):
    key, _ = SignalMap(load_profile(profile).signals).key(name, component)
    assert key.partition(".")[0] not in LANES
