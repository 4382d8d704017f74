"""`forewarn bench orders`: a tiny run gives every figure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts the command anew

FOREWARN = Path(sys.executable).with_name("forewarn")


def test_it_fills_in_and_commits_as_many_as_it_was_asked_for() -> None:
    command = [FOREWARN, "bench", "orders", "--orders", "60", "--devices", "12", "--batch", "7"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(ran.stdout)
    assert report["settings"] == {"orders": 60, "devices": 12, "batch": 7, "seed": 1}
    for name in ("files", "imported"):
        figures = report[name]
        assert figures["orders"] == 60
        assert figures["orders_per_second"] > 0
        assert 0.9 < figures["fields_filled_in"] <= 1
    assert report["files"]["fields_filled_in"] == report["imported"]["fields_filled_in"]
