"""What a machine says of itself, from a folder in place of /sys."""

import re

import psutil
import pytest
from agent_machine import LAPTOP, grow

from gateway.agent.battery import battery_facts, power_values
from gateway.agent.filesystems import own_filesystems, storage_values
from gateway.agent.identity import device_id, machine_class, machine_facts
from gateway.agent.memory import memory_values
from gateway.agent.network import network_values
from gateway.agent.readings import Readings
from gateway.agent.sensors import fan_values, processor_temperatures, temperature_values, throttle_count
from gateway.errors import UserError
from gateway.wire.topics import IDENTIFIER
from rules.signals import load_catalogue
from rules.symbols import Channel, DeviceId


@pytest.fixture
def laptop(tmp_path):
    return grow(tmp_path / "sys", LAPTOP)


async def test_a_laptop_says_what_the_catalogue_means(laptop, tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("27 1 254:0 / / ro,relatime - ext4 /dev/vda rw,discard\n")
    values = await Readings(laptop, mounts).read()
    assert 0 <= values.pop("cpu.load") <= 100
    assert 0 < values.pop("storage.free_ratio") < 1
    assert values == {
        "cpu.temperature@0": 61.0,
        "fan.rpm@1": 2710,
        "battery.level": 64,
        "battery.capacity_ratio": 0.6,
        "battery.cycles": 412,
        "battery.voltage": 11.4,
        "battery.current": -0.5,
        "charge.limited": True,
        "power.plugged": False,
    }


async def test_every_signal_is_one_of_the_catalogue_in_its_range(laptop):
    catalogue = load_catalogue()
    for key, value in (await Readings(laptop).read()).items():
        signal = catalogue.get(Channel.parse(key).signal)
        assert signal is not None, key
        if isinstance(value, float | int) and not isinstance(value, bool):
            assert signal.low is None or value >= signal.low, key
            assert signal.high is None or value <= signal.high, key


async def test_what_can_no_longer_be_read_is_unknown_once(laptop):
    readings = Readings(laptop)
    assert (await readings.read())["fan.rpm@1"] == 2710
    (laptop / "class/hwmon/hwmon2/fan1_input").unlink()
    assert (await readings.read())["fan.rpm@1"] is None
    assert "fan.rpm@1" not in await readings.read()


async def test_a_machine_without_sensors_says_nothing_of_them(tmp_path):
    values = await Readings(tmp_path / "nothing", tmp_path / "nothing").read()
    assert set(values) == {"cpu.load"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"name": "k10temp", "temp1_input": 88_000, "temp1_label": "Tctl", "temp2_input": 61_000,
          "temp2_label": "Tdie"}, [61.0]),
        ({"name": "k10temp", "temp1_input": 52_125, "temp1_label": "Tctl", "temp3_input": 47_000,
          "temp3_label": "Tccd1"}, [52.125]),
        ({"name": "cpu_thermal", "temp1_input": 48_000}, [48.0]),
        ({"name": "nvme", "temp1_input": 48_000}, []),
        ({"name": "coretemp", "temp1_input": "no number", "temp1_label": "Package id 0"}, []),
    ],
)  # fmt: skip
def test_the_processor_s_own_sensor_is_taken(tmp_path, files, expected):
    grow(tmp_path, {f"class/hwmon/hwmon0/{name}": text for name, text in files.items()})
    assert [each.celsius for each in processor_temperatures(tmp_path)] == expected


def test_two_processors_are_told_apart(tmp_path):
    for place in (0, 1):
        grow(
            tmp_path / f"class/hwmon/hwmon{place}",
            {"name": "coretemp", "temp1_input": 50_000 + place, "temp1_label": f"Package id {place}"},
        )
    assert temperature_values(tmp_path).keys() == {"cpu.temperature@0", "cpu.temperature@1"}


def test_fans_of_two_chips_and_of_a_graphics_card_keep_apart(tmp_path):
    grow(tmp_path / "class/hwmon/hwmon0", {"name": "amdgpu", "fan1_input": 900})
    grow(tmp_path / "class/hwmon/hwmon1", {"name": "nct6775", "fan1_input": 1200, "fan2_input": 0})
    grow(tmp_path / "class/hwmon/hwmon2", {"name": "corsairpsu", "fan1_input": 700})
    assert fan_values(tmp_path) == {
        "fan.rpm@1": 1200,
        "fan.rpm@2": 0,
        "fan.rpm@corsairpsu-1": 700,
        "fan.rpm@amdgpu-1": 900,
    }


def test_throttlings_are_counted_over_all_cores(tmp_path):
    assert throttle_count(tmp_path) is None
    for core in (0, 1):
        grow(
            tmp_path / f"devices/system/cpu/cpu{core}/thermal_throttle",
            {"core_throttle_count": 2, "package_throttle_count": 5},
        )
    assert throttle_count(tmp_path) == 14


@pytest.mark.parametrize(
    ("changed", "key", "expected"),
    [
        ({"BAT0/energy_full_design": 0}, "battery.capacity_ratio", None),
        ({"BAT0/cycle_count": 0}, "battery.cycles", None),
        ({"BAT0/status": "Charging", "BAT0/current_now": -1_250_000}, "battery.current", 1.25),
        ({"BAT0/status": "Unknown"}, "battery.current", None),
        ({"BAT0/status": "Full", "BAT0/power_now": 0}, "battery.current", 0),
        ({"BAT0/health": "Over voltage"}, "battery.health", "over_voltage"),
        ({"BAT0/health": "Warm"}, "battery.health", None),
        ({"BAT0/temp": 314}, "battery.temperature", 31.4),
        ({"BAT0/charge_control_end_threshold": 100}, "charge.limited", False),
        ({"BAT0/present": 0}, "battery.level", None),
        ({"ucsi/type": "USB", "ucsi/online": 1}, "power.plugged", True),
        ({"BAT1/type": "Battery", "BAT1/capacity": 99}, "battery.level@BAT1", 99),
        ({"BAT1/type": "Battery", "BAT1/capacity": 99}, "battery.level", 64),
    ],
)
async def test_batteries_say_only_what_they_know(laptop, changed, key, expected):
    grow(laptop / "class/power_supply", changed)
    assert (await power_values(laptop)).get(key) == expected


async def test_upower_speaks_where_the_kernel_has_no_such_folder(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "upower"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\ncat <<'END'\n"
        "Device: /org/freedesktop/UPower/devices/line_power_AC\n  power supply:         yes\n"
        "  line-power\n    online:              yes\n\n"
        "Device: /org/freedesktop/UPower/devices/mouse_1\n  power supply:         no\n"
        "  mouse\n    percentage:          20%\n\n"
        "Device: /org/freedesktop/UPower/devices/battery_BAT0\n  power supply:         yes\n"
        "  battery\n    energy-full:         34.2 Wh\n    energy-full-design:  57 Wh\n"
        "    voltage:             11.4 V\n    charge-cycles:       412\n    percentage:          64%\n"
        "END\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert await power_values(tmp_path) == {
        "power.plugged": True,
        "battery.level": 64,
        "battery.capacity_ratio": 0.6,
        "battery.cycles": 412,
        "battery.voltage": 11.4,
    }


MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw,discard
28 27 254:0 /home /home ro - ext4 /dev/vda rw,discard
31 27 8:17 / /media/my\\040disk rw - ext4 /dev/sdb1 rw
32 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
33 27 8:33 / /mnt/old ro - ext4 /dev/sdc1 ro
34 27 0:50 / /nfs rw - nfs4 server:/x rw
35 27 0:51 / /tank/a rw - zfs tank/a rw
36 27 0:52 / /tank rw - zfs tank rw
a line that is none
"""


def test_file_systems_are_those_on_own_storage_that_can_be_written_each_once(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTINFO)
    assert [each.where for each in own_filesystems(mounts)] == ["/", "/tank", "/media/my disk"]


def test_free_room_is_the_part_that_users_can_have(tmp_path):
    mounts, folder = tmp_path / "mountinfo", tmp_path / "a b"
    folder.mkdir()
    escaped = str(folder).replace(" ", "\\040")
    mounts.write_text(
        f"27 1 254:0 / {escaped} rw - ext4 /dev/vda rw\n28 1 8:1 / /is/gone rw - ext4 /dev/b rw\n"
    )
    ((key, value),) = storage_values(mounts).items()
    assert IDENTIFIER.fullmatch(Channel.parse(key).component)
    assert value == pytest.approx(1 - psutil.disk_usage(str(folder)).percent / 100, abs=0.01)


def test_memory_modules_are_called_as_on_the_board(tmp_path):
    mc = tmp_path / "devices/system/edac/mc/mc0"
    grow(mc, {"dimm0/dimm_label": "CPU_SrcID#0_Ha#0_Chan#0_DIMM#0", "dimm0/dimm_ce_count": 3})
    grow(mc, {"dimm0/dimm_ue_count": 0, "dimm1/dimm_ce_count": 1, "power/dimm_ce_count": 9})
    assert memory_values(tmp_path) == {
        "memory.corrected_errors@CPU_SrcID-0_Ha-0_Chan-0_DIMM-0": 3,
        "memory.uncorrected_errors@CPU_SrcID-0_Ha-0_Chan-0_DIMM-0": 0,
        "memory.corrected_errors@mc0:dimm1": 1,
    }


def test_adapters_with_hardware_and_a_wire_are_watched(tmp_path):
    for name in ("eth0", "lo", "wlan0"):
        grow(tmp_path / f"class/net/{name}", {"statistics/rx_errors": 7, "carrier_down_count": 2})
    for part in ("eth0/device", "wlan0/device", "wlan0/wireless"):
        (tmp_path / "class/net" / part).mkdir()
    assert network_values(tmp_path) == {"nic.rx_errors@eth0": 7, "nic.link_flaps@eth0": 2}


def test_facts_hold_no_fillers(laptop):
    facts = machine_facts(laptop)
    assert facts.pop("os")
    assert facts.pop("kernel")
    assert facts == {
        "model": "Latitude 7490",
        "manufacturer": "Dell Inc.",
        "firmware": "1.39.0",
        "components": {
            "BAT0": {"model": "DELL 7VTMN1", "serial": "2861"},
            "board": {"model": "0KP0FT"},
        },
    }
    assert battery_facts(laptop) == {"BAT0": {"model": "DELL 7VTMN1", "serial": "2861"}}


@pytest.mark.parametrize(
    ("chassis", "expected"), [(10, "pc"), (3, "pc"), (23, "server"), (17, "server"), ("", "pc")]
)
def test_the_chassis_tells_the_class(tmp_path, chassis, expected):
    grow(tmp_path, {"class/dmi/id/chassis_type": chassis})
    assert machine_class(tmp_path) == expected


def test_the_host_s_name_becomes_one_of_the_protocol(tmp_path):
    assert device_id("acme", None, None, sys=tmp_path, host="büro pc+1") == DeviceId(
        "acme", "pc", "b-ro-pc-1"
    )
    assert device_id("acme", "server", "x", sys=tmp_path) == DeviceId("acme", "server", "x")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("acme", None, None), "--device"),
        (("a/b", None, "x"), "tenant"),
        (("acme", "fridge", "x"), "class"),
        (("acme", "pc", "x y"), "device"),
    ],
)
def test_a_wrong_name_is_explained(tmp_path, arguments, told):
    with pytest.raises(UserError, match=re.escape(told)):
        device_id(*arguments, sys=tmp_path, host="localhost")
