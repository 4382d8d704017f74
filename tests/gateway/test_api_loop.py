import asyncio
import time
from contextlib import ExitStack

from browser.console_courses import SERVER
from browser.site import open_site


async def test_reads_do_not_hold_up_the_event_loop(tmp_path, monkeypatch):
    """Slow reads of every kind run while a heartbeat on the same loop keeps its beat."""
    with ExitStack() as stack:
        site = open_site(tmp_path, stack)
        for store, names in (
            (site.ledger, ("cases", "case", "orders", "order", "devices", "device", "quarantine")),
            (site.history, ("telemetry",)),
        ):
            for name in names:
                monkeypatch.setattr(store, name, slowly(getattr(store, name)))

        gaps: list[float] = []
        heart = asyncio.create_task(beat(gaps))
        await asyncio.sleep(0)
        gaps.clear()
        paths = [
            "cases", "orders", "devices", "quarantine", "cases/case-srv-014-disk-media_wear",
            "orders/SO-9C41QD", f"devices/{SERVER}", f"devices/{SERVER}/telemetry?limit=100",
        ]  # fmt: skip
        started = time.monotonic()
        async with site.client() as client:
            answers = await asyncio.gather(*(client.get(f"/api/v1/{path}") for path in paths))
        elapsed = time.monotonic() - started
        heart.cancel()

    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert elapsed >= PAUSE  # the reads were slow
    assert elapsed < PAUSE * len(paths)  # and ran side by side
    # One slow read on the loop would be a gap of a whole pause; a busy machine stays far below.
    assert max(gaps) < PAUSE * 0.8, f"the loop stood still for {max(gaps):.3f} s"


PAUSE = 1.0


def slowly(read):
    def slow(*args, **kwargs):
        time.sleep(PAUSE)
        return read(*args, **kwargs)

    return slow


async def beat(gaps):
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
