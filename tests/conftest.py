import os

import hypothesis
import pytest
from servers import start_mosquitto

# Machines that build are shared and slow at times; how long an example takes says nothing there.
hypothesis.settings.register_profile("daily", deadline=None)
# A build tries the same examples each time: what it says is about the change, not about luck. Daily runs
# look at new ones.
hypothesis.settings.register_profile("build", deadline=None, derandomize=True)
hypothesis.settings.load_profile("build" if os.environ.get("CI") else "daily")


@pytest.fixture
def mosquitto(tmp_path):
    """A real broker, ended with the test."""
    broker = start_mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()
