import re
from pathlib import Path

import pytest

from gateway.registry import TABLES, load_registry

TEXT = (Path(__file__).parents[2] / "docs" / "registry.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return TEXT.split(f"## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", list(TABLES))
def test_every_column_of_every_file_is_described_and_no_other(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)`( \*)? \|", section(name), re.MULTILINE)
    assert {column for column, _ in rows} == set(TABLES[name].all)
    assert {column for column, star in rows if star} == set(TABLES[name].required)


def test_the_examples_are_one_registry_that_loads(tmp_path: Path) -> None:
    for name in TABLES:
        (example,) = re.findall(r"```csv\n(.*?)```", section(name), re.DOTALL)
        (tmp_path / name).write_text(example, encoding="utf-8")
    registry = load_registry(tmp_path)
    assert len(registry.devices) == 3
    assert all(
        (
            registry.owners,
            registry.sites,
            registry.coverages,
            registry.parts,
            registry.stock,
            registry.repairers,
        )
    )
