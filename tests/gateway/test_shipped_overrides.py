"""A shipped rule with other limits for a model, in a pack of one's own: the rule itself is not copied."""

from typer.testing import CliRunner

from gateway.cli.commands import app

OVERRIDES = """
pack: our-racks
overrides:
  - {rule: server_cpu_overheating, for_devices: {model: "R9*"}, limits: {critical: 105}}
  - {rule: server_room_cooling, for_devices: {model: "R9*", site: desert}, limits: {inlet: 45}}
"""

SCENARIOS = """
packs: [builtin, our-racks.yaml]
tests:
  - name: a model that is made for 105 degrees is in order at 99
    device: {class: server, model: R9-2}
    series: {cpu.temperature@0: 99x30, cpu.load: 60x30}
    expect:
      - {quiet: true}
  - name: above its own limit it overheats
    device: {class: server, model: R9-2}
    series: {cpu.temperature@0: 99x5 106x20, cpu.load: 60x25}
    expect:
      - {at: 15m, suspected: cpu.overheating, rule: server_cpu_overheating}
  - name: other models keep the limit of the shipped rule
    device: {class: server, model: R8}
    series: {cpu.temperature@0: 99x30, cpu.load: 60x30}
    expect:
      - {at: 10m, suspected: cpu.overheating, rule: server_cpu_overheating}
  - name: warm air is judged by model and site together
    device: {class: server, model: R9-2, site: desert}
    series: {inlet.temperature: 40x30}
    devices:
      - name: elsewhere
        device: {class: server, model: R9-2, site: coast}
        series: {inlet.temperature: 40x30}
    expect:
      - {at: 10m, suspected: room.cooling, device: elsewhere}
"""


def test_a_model_has_its_own_limits_of_a_shipped_rule(tmp_path):
    (tmp_path / "our-racks.yaml").write_text(OVERRIDES, encoding="utf-8")
    (tmp_path / "our-racks.test.yaml").write_text(SCENARIOS, encoding="utf-8")
    result = CliRunner().invoke(app, ["rules", "test", str(tmp_path)])
    assert result.exit_code == 0, result.output


def test_an_override_of_a_limit_that_the_rule_has_not_is_refused(tmp_path):
    (tmp_path / "our-racks.yaml").write_text(OVERRIDES.replace("critical:", "crytical:"), encoding="utf-8")
    (tmp_path / "our-racks.test.yaml").write_text(SCENARIOS, encoding="utf-8")
    result = CliRunner().invoke(app, ["rules", "test", str(tmp_path)])
    assert result.exit_code == 1
    assert "did you mean critical?" in result.output
