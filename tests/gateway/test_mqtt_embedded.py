import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from servers import is_running, listens, publish, wait_until

from gateway.clock import SystemClock
from gateway.errors import OutsideError, UserError
from gateway.events import Events
from gateway.leash import LeashedProgram
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.receiver import Receiver

pytestmark = pytest.mark.server

TOPIC = "fw/acme/pc/p-1/telemetry"

# A gateway of a few lines: starts the broker, says where it is, and stays.
OWNER = """
import asyncio, json, pathlib, signal, sys
from gateway.mqtt.embedded import EmbeddedBroker

async def main():
    async with EmbeddedBroker(pathlib.Path(sys.argv[1])) as broker:
        print(json.dumps({"url": broker.url, "pids": [broker.pid, broker.keeper_pid]}), flush=True)
        await asyncio.sleep(600)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs behind it without
asyncio.run(main())
"""


def start_owner(folder):
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def port_of(url):
    return int(url.rpartition(":")[2])


async def test_it_answers_inside_of_the_block_and_is_gone_after(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        assert listens(port_of(broker.url))
        pids = [broker.pid, broker.keeper_pid]
        assert all(map(is_running, pids))
    assert not any(map(is_running, pids))
    assert not listens(port_of(broker.url))


async def test_nothing_but_the_loopback_is_listened_on(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        inodes = set()
        for name in os.listdir(f"/proc/{broker.pid}/fd"):
            target = os.readlink(f"/proc/{broker.pid}/fd/{name}")
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        with open("/proc/net/tcp6") as tcp6, open("/proc/net/tcp") as tcp:  # noqa: ASYNC230
            rows = [line.split() for line in [*tcp6.readlines()[1:], *tcp.readlines()[1:]]]
        addresses = [row[1].rpartition(":")[0] for row in rows if row[9] in inodes and row[3] == "0A"]
        assert len(addresses) == 2
        assert set(addresses) == {"0100007F"}


async def test_the_port_is_kept_over_a_restart(tmp_path):
    async with EmbeddedBroker(tmp_path) as first:
        pass
    async with EmbeddedBroker(tmp_path) as second:
        assert second.url == first.url
    with socket.socket() as other:
        other.bind(("127.0.0.1", port_of(first.url)))
        other.listen()
        async with EmbeddedBroker(tmp_path) as third:
            assert third.url != first.url


async def test_a_wanted_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OutsideError, match="address already in use"):
            async with EmbeddedBroker(tmp_path, port=other.getsockname()[1]):
                pass


async def test_a_second_gateway_on_the_folder_is_told_so(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        with pytest.raises(UserError) as raised:
            async with EmbeddedBroker(tmp_path):
                pass
        assert f"{tmp_path} is in use by another gateway (process {os.getpid()})" in str(raised.value)
        assert listens(port_of(broker.url))


async def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"data_dir: .*file"):
        async with EmbeddedBroker(tmp_path / "file"):
            pass


async def test_its_own_end_is_noticed(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        os.kill(broker.pid, signal.SIGKILL)
        with pytest.raises(OutsideError, match="embedded broker ended with status 137"):
            async with asyncio.timeout(10):
                await broker.watch()


@pytest.mark.parametrize("after", [None, 0.0, 0.05, 0.1, 0.2])
def test_it_dies_with_its_owner_at_any_moment(tmp_path, after):
    owner = start_owner(tmp_path)
    pids = []
    if after is None:
        told = json.loads(owner.stdout.readline())
        pids = told["pids"]
        assert all(map(is_running, pids))
    else:  # somewhere on the way to its first answer
        wait_until((tmp_path / "broker" / "nats-server.conf").exists, what="the first file")
        time.sleep(after)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not any(map(is_running, pids)), seconds=8, what="the broker's end")
    wait_until(lambda: not processes_naming(str(tmp_path)), seconds=8, what="the end of all of its processes")


def processes_naming(text):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if text.encode() in file.read() and is_running(int(pid)):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def test_ctrl_c_at_a_terminal_reaches_the_owner_alone(tmp_path):
    owner = start_owner(tmp_path)
    pids = json.loads(owner.stdout.readline())["pids"]
    assert all(os.getpgid(pid) != os.getpgid(owner.pid) for pid in pids)
    owner.send_signal(signal.SIGINT)
    owner.wait(10)
    owner.stdout.close()
    assert not any(map(is_running, pids))


async def test_after_a_kill_the_unacknowledged_come_first_and_at_once(tmp_path):
    owner = start_owner(tmp_path)
    url = json.loads(owner.stdout.readline())["url"]
    receiver = a_receiver(url)
    running = asyncio.create_task(receiver.run())
    await until(lambda: receiver.subscribed)
    await asyncio.to_thread(publish, url, numbered(0, 10))
    await until(lambda: receiver.waiting == 10)
    batch = await receiver.take(4)
    batch.acknowledge()
    await asyncio.to_thread(publish, url, [("fw/acme/pc/p-1/status", b"flush")])
    await until(lambda: receiver.waiting == 7)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    running.cancel()

    async with EmbeddedBroker(tmp_path) as broker:
        assert broker.url == url
        await asyncio.to_thread(publish, url, numbered(10, 12))
        receiver = a_receiver(url)
        running = asyncio.create_task(receiver.run())
        packets = []
        async with asyncio.timeout(5):  # well below the ten seconds after which it would be sent again anyway
            while len(packets) < 9:
                packets += (await receiver.take(100)).packets
        running.cancel()
    told = [int(packet.payload) for packet in packets if packet.payload != b"flush"]
    assert told == [4, 5, 6, 7, 8, 9, 10, 11]


async def test_what_was_published_and_not_taken_survives_the_kill(tmp_path):
    owner = start_owner(tmp_path)
    url = json.loads(owner.stdout.readline())["url"]
    receiver = a_receiver(url)
    running = asyncio.create_task(receiver.run())
    await until(lambda: receiver.subscribed)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(publish, url, numbered(0, 200))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    async with EmbeddedBroker(tmp_path) as broker:
        receiver = a_receiver(broker.url)
        running = asyncio.create_task(receiver.run())
        packets = []
        async with asyncio.timeout(20):
            while len(packets) < 200:
                packets += (await receiver.take(100)).packets
        running.cancel()
    assert [int(packet.payload) for packet in packets] == list(range(200))


def a_receiver(url):
    return Receiver(
        BrokerAddress.of(url),
        client_id="gateway-1",
        filters=["fw/+/+/+/telemetry", "fw/+/+/+/status"],
        clock=SystemClock(),
        events=Events(),
        first_pause=0.05,
    )


def numbered(first, last):
    return [(TOPIC, str(number).encode()) for number in range(first, last)]


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (a condition of another process)
            await asyncio.sleep(0.01)


# The leash by itself


async def test_a_leashed_program_is_told_and_then_killed():
    deaf = await LeashedProgram.start(
        ["sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 0.1; done'],
        grace=0.2,
        stdout=asyncio.subprocess.PIPE,
    )
    await deaf.stdout.readline()
    assert await deaf.stop() == 128 + signal.SIGKILL
    assert not is_running(deaf.pid)


async def test_a_leashed_program_may_take_its_time_to_end():
    program = await LeashedProgram.start(
        ["sh", "-c", 'trap "sleep 0.2; exit 3" TERM; echo ready; while :; do sleep 0.05; done'],
        stdout=asyncio.subprocess.PIPE,
    )
    await program.stdout.readline()
    assert await program.stop() == 3


async def test_a_leashed_program_that_ends_by_itself():
    program = await LeashedProgram.start(["sh", "-c", "echo said; exit 7"], stdout=asyncio.subprocess.PIPE)
    assert await program.stdout.read() == b"said\n"
    assert await program.wait() == 7
    assert not program.running
    assert await program.stop() == 7


async def test_a_program_that_is_not_there():
    with pytest.raises(OutsideError, match="/no/such/program could not be started"):
        await LeashedProgram.start(["/no/such/program"])


async def test_a_killed_keeper_takes_the_program_with_it():
    program = await LeashedProgram.start(["sleep", "600"])
    os.kill(program.keeper_pid, signal.SIGKILL)
    await program.wait()
    await until(lambda: not is_running(program.pid))


async def test_a_terminated_keeper_ends_the_program():
    program = await LeashedProgram.start(["sleep", "600"])
    os.kill(program.keeper_pid, signal.SIGTERM)
    assert await program.wait() == 128 + signal.SIGTERM
    assert not is_running(program.pid)
