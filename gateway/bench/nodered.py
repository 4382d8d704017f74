"""Node-RED beside forewarn: the same backlog, mqtt-in, json, one function with twenty rules; nothing stored.

Node-RED acknowledges a message before its flow has seen it, and forgets what it computed; forewarn does all
its work in the same time. It comes from npm, into a folder of its own that is gone afterwards.
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gateway.bench.processes import child, free_port, listens, mosquitto, wait_for
from gateway.bench.traffic import Say, publish, subscribe
from gateway.errors import OutsideError

if TYPE_CHECKING:
    from gateway.bench.ingest import Settings

_VERSION = "4"

#: Twenty rules of a threshold that must hold for a time, as a user would write them; after each thousand
#: messages the count is written to a file that we read.
_FUNCTION = """
const state = context.get('state') || {};
const device = msg.topic.split('/')[3];
const values = msg.payload.values, now = msg.payload.ts;
const limits = [
  ['cpu.temperature', 95], ['cpu.temperature', 90], ['cpu.temperature', 85], ['cpu.temperature', 80],
  ['cpu.load', 99], ['cpu.load', 95], ['cpu.load', 90], ['cpu.load', 85],
  ['inlet.temperature', 45], ['inlet.temperature', 40], ['inlet.temperature', 35], ['inlet.temperature', 32],
  ['disk.temperature@sda', 60], ['disk.temperature@sda', 55], ['disk.temperature@sda', 50],
  ['disk.pending_sectors@sda', 0], ['disk.pending_sectors@sda', 10], ['disk.pending_sectors@sda', 100],
  ['fan.rpm@1', 9000], ['fan.rpm@1', 8000],
];
const mine = state[device] || (state[device] = new Array(limits.length).fill(null));
for (let rule = 0; rule < limits.length; rule++) {
  const [signal, limit] = limits[rule], value = values[signal];
  if (value === undefined) continue;
  if (value <= limit) mine[rule] = null;
  else if (mine[rule] === null) mine[rule] = now;
  else if (now - mine[rule] >= 600000) node.warn(device + ' ' + rule);
}
context.set('state', state);
const count = (context.get('count') || 0) + 1;
context.set('count', count);
if (count % 1000 === 0 || count === TOTAL) global.get('fs').writeFileSync('COUNT', String(count));
return null;
"""


def measure(settings: "Settings", say: Say) -> dict[str, Any]:
    """Let Node-RED drain the backlog of `measure_mosquitto`.

    Raises:
        OutsideError: npm is not here, or cannot install it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OutsideError("Node-RED needs node and npm, and npm is not installed")
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        say("installing node-red")
        installed = subprocess.run(  # noqa: S603  (npm, by its path)
            [npm, "install", "--no-audit", "--no-fund", "--silent", f"node-red@{_VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode:
            raise OutsideError(f"npm could not install node-red: {installed.stderr.strip()[-300:]}")
        port = stack.enter_context(mosquitto(folder, extra="max_inflight_messages 0\n"))
        subscribe(port, "node-red", "fw/#", version=5)
        say(f"publishing {settings.messages:,} messages to mosquitto")
        publish(port, settings.traffic().messages(settings.messages))
        count = folder / "count"
        http = _write_flow(folder, port, count, settings.messages)
        program = folder / "node_modules" / "node-red" / "red.js"
        node = str(shutil.which("node"))
        command = [node, str(program), "--userDir", str(folder), "--settings", str(folder / "settings.js")]
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        pid = stack.enter_context(child(command, folder / "node-red.log"))
        if len(cores) > 1:
            os.sched_setaffinity(pid, {cores[-1]})
        say("draining with Node-RED")
        wait_for(lambda: listens(http), "Node-RED listening")
        wait_for(count.exists, "its first thousand messages")
        begun, first = time.perf_counter(), int(count.read_text(encoding="ascii") or 0)
        wait_for(
            lambda: count.read_text(encoding="ascii") == str(settings.messages), "the last one", seconds=600
        )
        seconds = time.perf_counter() - begun
    return {
        "version": _VERSION,
        "messages_per_second": round((settings.messages - first) / seconds),
    }


def _write_flow(folder: Path, port: int, count: Path, total: int) -> int:
    """Write flow and settings, and return the port of Node-RED's own page."""
    http = free_port()
    (folder / "settings.js").write_text(
        "module.exports = {flowFile: 'flow.json', uiHost: '127.0.0.1', "
        f"uiPort: {http}, functionGlobalContext: {{fs: require('fs')}}, "
        "logging: {console: {level: 'error'}}};",
        encoding="utf-8",
    )
    function = _FUNCTION.replace("TOTAL", str(total)).replace("COUNT", str(count))
    flow = [
        {"id": "flow-tab", "type": "tab", "label": "bench"},
        {
            "id": "node-broker",
            "type": "mqtt-broker",
            "broker": "127.0.0.1",
            "port": str(port),
            "clientid": "node-red",
            "protocolVersion": "5",
            "cleansession": False,
            "sessionExpiry": "4294967295",
            "keepalive": "600",
        },
        {
            "id": "node-in",
            "type": "mqtt in",
            "z": "flow-tab",
            "topic": "fw/#",
            "qos": "1",
            "datatype": "buffer",
            "broker": "node-broker",
            "wires": [["node-json"]],
        },
        {
            "id": "node-json",
            "type": "json",
            "z": "flow-tab",
            "property": "payload",
            "action": "obj",
            "wires": [["node-rules"]],
        },
        {
            "id": "node-rules",
            "type": "function",
            "z": "flow-tab",
            "func": function,
            "outputs": 1,
            "wires": [[]],
        },
    ]
    (folder / "flow.json").write_text(json.dumps(flow), encoding="utf-8")
    return http
