import hypothesis
import pytest
from servers import start_mosquitto

# Machines that build are shared and slow at times; how long an example takes says nothing there.
hypothesis.settings.register_profile("forewarn", deadline=None)
hypothesis.settings.load_profile("forewarn")


@pytest.fixture
def mosquitto(tmp_path):
    """A real broker, ended with the test."""
    broker = start_mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()
