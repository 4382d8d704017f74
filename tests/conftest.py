import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests share plain modules: servers, oracle, strategies


@pytest.fixture
def mosquitto(tmp_path):
    """A real broker, ended with the test."""
    from servers import start_mosquitto

    broker = start_mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()
