"""`forewarn backtest` while the gateway runs and when it does not: one implementation, the same bytes."""

import pytest
from gateways import gateway

from gateway.history.duckdb_store import DuckDbHistory
from rules.batch import BatchBuilder
from rules.symbols import DeviceId, Symbols
from rules.times import HOUR_MS, MINUTE_MS

pytestmark = pytest.mark.server

START = 1_767_225_600_000
PACK = """\
pack: own
rules:
  - id: server_warm
    fault: cpu.overheating
    for_devices: {class: server}
    when: cpu.temperature > LIMIT
    hold: 10m
    confirm: {any_of: [{probe: cooling.test}, {held: 1h}]}
"""


def test_the_gateway_that_holds_the_history_gives_the_same_answer(tmp_path):
    symbols = Symbols()
    for name in ("srv-99", "srv-85"):
        symbols.devices.intern(DeviceId("acme", "server", name))
    builder = BatchBuilder(symbols)
    for at in range(START, START + 6 * HOUR_MS, 5 * MINUTE_MS):
        builder.add(0, at, at, {"cpu.temperature": 99.0})
        builder.add(1, at, at, {"cpu.temperature": 85.0})
    (tmp_path / "data").mkdir()
    history = DuckDbHistory(tmp_path / "data" / "history.duckdb")
    history.append(symbols, builder.build(), [])
    history.close()
    for name, limit in (("today", "95"), ("other", "80")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.yaml").write_text(PACK.replace("LIMIT", limit))
    asked = ("backtest", "--rules", str(tmp_path / "other"), "--from", "2026-01-01", "--to", "2026-01-02")
    rules = f'[rules]\npacks = ["{tmp_path}/today"]\n'
    with gateway(tmp_path, "embedded", rules) as running:
        running.wait_ready()
        held = running.forewarn(*asked, "--json")
        assert held.returncode == 0, held.stderr
        running.terminate()
        free = running.forewarn(*asked, "--json")
    assert free.stdout == held.stdout
    assert '"orders":1' in held.stdout
    assert '"only_candidate"' in held.stdout
