import pytest
from servers import start_mosquitto


@pytest.fixture
def mosquitto(tmp_path):
    """A real broker, ended with the test."""
    broker = start_mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()
