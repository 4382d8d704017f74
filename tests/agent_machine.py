"""A machine to be measured: a folder in place of /sys, and a program in place of smartctl."""

import json
import os
import sys
from pathlib import Path


def grow(root: Path, files: dict[str, object]) -> Path:
    """Write files below a folder, each with a line that ends as the kernel's do."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    return root


LAPTOP = {
    "class/hwmon/hwmon0/name": "acpitz",
    "class/hwmon/hwmon0/temp1_input": 27_800,
    "class/hwmon/hwmon1/name": "BAT0",
    "class/hwmon/hwmon1/in0_input": 11_900,
    "class/hwmon/hwmon2/name": "thinkpad",
    "class/hwmon/hwmon2/fan1_input": 2_710,
    "class/hwmon/hwmon10/name": "coretemp",
    "class/hwmon/hwmon10/temp1_input": 61_000,
    "class/hwmon/hwmon10/temp1_label": "Package id 0",
    "class/hwmon/hwmon10/temp1_crit": 100_000,
    "class/hwmon/hwmon10/temp2_input": 63_000,
    "class/hwmon/hwmon10/temp2_label": "Core 0",
    "class/power_supply/AC/type": "Mains",
    "class/power_supply/AC/online": 0,
    "class/power_supply/BAT0/type": "Battery",
    "class/power_supply/BAT0/present": 1,
    "class/power_supply/BAT0/status": "Discharging",
    "class/power_supply/BAT0/capacity": 64,
    "class/power_supply/BAT0/cycle_count": 412,
    "class/power_supply/BAT0/energy_full": 34_200_000,
    "class/power_supply/BAT0/energy_full_design": 57_000_000,
    "class/power_supply/BAT0/voltage_now": 11_400_000,
    "class/power_supply/BAT0/power_now": 5_700_000,
    "class/power_supply/BAT0/charge_control_end_threshold": 80,
    "class/power_supply/BAT0/model_name": "DELL 7VTMN1",
    "class/power_supply/BAT0/serial_number": "2861",
    "class/power_supply/hidpp_battery_0/type": "Battery",
    "class/power_supply/hidpp_battery_0/scope": "Device",
    "class/power_supply/hidpp_battery_0/capacity": 20,
    "class/dmi/id/chassis_type": 10,
    "class/dmi/id/product_name": "Latitude 7490",
    "class/dmi/id/product_serial": "To Be Filled By O.E.M.",
    "class/dmi/id/sys_vendor": "Dell Inc.",
    "class/dmi/id/bios_version": "1.39.0",
    "class/dmi/id/board_name": "0KP0FT",
    "class/dmi/id/board_serial": "Default string",
}

# Every drive of the program below: what it answers to --all, and how its self test stands at each look.
_SMARTCTL = """#!{python}
import json, sys
from pathlib import Path
here = Path(__file__).parent
words = sys.argv[1:]
with (here / "asked.log").open("a") as log:
    log.write(" ".join(words) + "\\n")
head = {{"json_format_version": [1, 0], "smartctl": {{"version": [7, 3], "exit_status": 0}}}}
drives = json.loads((here / "drives.json").read_text())
def end(document, status=0, message=None):
    document = head | document
    document["smartctl"] = document["smartctl"] | {{"exit_status": status}}
    if message:
        document["smartctl"]["messages"] = [{{"string": message, "severity": "error"}}]
    print(json.dumps(document))
    sys.exit(status)
if "--scan" in words:
    end({{"devices": [d["scan"] for d in drives]}})
drive = next(d for d in drives if d["scan"]["name"] == words[-1])
if "refuses" in drive:
    end({{}}, *drive["refuses"])
looks = here / (words[-1].strip("/").replace("/", "_") + ".looks")
if "--test=short" in words:
    if "test_refused" in drive:
        end({{}}, *drive["test_refused"])
    looks.write_text("0")
    end({{}})
if "--all" in words:
    end(drive["all"], drive.get("status", 0))
if not looks.exists():
    end(drive["idle"])
number = int(looks.read_text())
looks.write_text(str(number + 1))
steps = drive["steps"]
end(steps[min(number, len(steps) - 1)])
"""


def put_smartctl(folder: Path, drives: list[dict[str, object]]) -> Path:
    """Put a program named smartctl into a folder; it knows these drives."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "smartctl"
    program.write_text(_SMARTCTL.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    (folder / "drives.json").write_text(json.dumps(drives), encoding="utf-8")
    return folder


def asked(folder: Path) -> list[str]:
    """Return the command lines that the program was run with."""
    return (folder / "asked.log").read_text(encoding="utf-8").splitlines()


def before_path(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def _ata(value: int, text: str, **status: object) -> dict[str, object]:
    return {
        "ata_smart_data": {
            "self_test": {"status": {"value": value, "string": text, **status}},
            "capabilities": {"self_tests_supported": True},
        }
    }


def sata(*steps: dict[str, object], name: str = "/dev/sda") -> dict[str, object]:
    """A SATA drive as the scan sees it: like SCSI."""
    return {
        "scan": {"name": name, "info_name": name, "type": "scsi", "protocol": "SCSI"},
        "all": {
            "device": {"name": name, "info_name": f"{name} [SAT]", "type": "sat", "protocol": "ATA"},
            "model_name": "ST4000DM004-2CV104",
            "serial_number": "ZFN0EXAMPLE",
            "firmware_version": "0001",
            "smart_status": {"passed": True},
            "temperature": {"current": 34},
            "power_on_time": {"hours": 9_120},
            "ata_smart_attributes": {
                "table": [
                    {"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 8, "string": "8"}},
                    {"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 0, "string": "0"}},
                ]
            },
        },
        "idle": _ata(0, "completed without error", passed=True),
        "steps": list(steps),
    }


RUNNING = _ata(249, "in progress, 90% remaining", remaining_percent=90)
PASSED = _ata(0, "completed without error", passed=True)
FAILED = {
    **_ata(121, "completed: read failure", passed=False),
    "ata_smart_self_test_log": {
        "standard": {
            "table": [
                {
                    "type": {"value": 1, "string": "Short offline"},
                    "status": {"value": 121, "string": "Completed: read failure", "passed": False},
                    "lifetime_hours": 9_120,
                    "lba": 1_465_149_168,
                }
            ]
        }
    },
}
ABORTED = _ata(25, "was aborted by the host")


def nvme(result: int, text: str, name: str = "/dev/nvme0") -> dict[str, object]:
    def log(operation: int, table: list[object]) -> dict[str, object]:
        return {
            "nvme_optional_admin_commands": {"self_test": True},
            "nvme_self_test_log": {
                "current_self_test_operation": {"value": operation, "string": "..."},
                "table": table,
            },
        }

    ended = [{"self_test_result": {"value": result, "string": text}, "power_on_hours": 77}]
    return {
        "scan": {"name": name, "info_name": name, "type": "nvme", "protocol": "NVMe"},
        "all": {
            "device": {"name": name, "type": "nvme", "protocol": "NVMe"},
            "model_name": "EXAMPLE NVMe 512",
            "serial_number": "N1",
            "nvme_smart_health_information_log": {"critical_warning": 0, "available_spare": 100},
        },
        "idle": log(0, []),
        "steps": [log(1, []), log(0, ended)],
    }
