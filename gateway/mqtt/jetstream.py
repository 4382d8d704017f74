"""The few words of the NATS protocol that the embedded broker needs of its own store.

nats-server keeps MQTT sessions as JetStream consumers. After a restart it sends what a session had not
acknowledged only when ``ack_wait`` is over, behind newer messages: the device's time would run backwards.
Resetting a consumer to its acknowledgement floor makes it deliver from there at once and in order.
"""

import asyncio
import json
from typing import Any

MQTT_STREAM = "$MQTT_msgs"
_INBOX = "_INBOX.forewarn"


class StoreError(Exception):
    """The store's interface answered in a way that is not understood."""


async def rewind_sessions(host: str, port: int) -> int:
    """Let every stored MQTT session receive anew, in order, what it has not acknowledged.

    Returns:
        How many sessions' subscriptions were rewound.

    Raises:
        OSError: the store cannot be reached.
        StoreError: it does not know the request (nats-server before 2.14).
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        await reader.readline()  # INFO
        hello = {"verbose": False, "headers": True, "no_responders": True, "lang": "forewarn", "version": "1"}
        writer.write(b"CONNECT %b\r\nSUB %b 1\r\n" % (json.dumps(hello).encode(), _INBOX.encode()))
        rewound = offset = 0
        while True:
            page = await _request(reader, writer, f"CONSUMER.LIST.{MQTT_STREAM}", {"offset": offset})
            consumers = page.get("consumers") or []
            for consumer in consumers:
                if consumer.get("num_ack_pending"):
                    await _request(reader, writer, f"CONSUMER.RESET.{MQTT_STREAM}.{consumer['name']}", {})
                    rewound += 1
            offset += len(consumers)
            if not consumers or offset >= page.get("total", 0):
                return rewound
    finally:
        writer.close()


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, subject: str, body: dict[str, object]
) -> dict[str, Any]:
    """Return the store's answer to one request; empty when there is no stream yet."""
    text = json.dumps(body).encode()
    writer.write(b"PUB $JS.API.%b %b %d\r\n%b\r\n" % (subject.encode(), _INBOX.encode(), len(text), text))
    while True:
        line = await reader.readline()
        if line.startswith(b"PING"):
            writer.write(b"PONG\r\n")
        elif line.startswith(b"MSG"):
            size = int(line.split()[-1])
            answer = json.loads((await reader.readexactly(size + 2))[:size])
            error = answer.get("error")
            if error and error.get("code") != 404:
                raise StoreError(f"{subject}: {error.get('description')}")
            return answer if isinstance(answer, dict) else {}
        elif line.startswith((b"HMSG", b"-ERR")) or not line:
            raise StoreError(
                f"{subject}: not understood by this nats-server: {line.decode(errors='replace')}"
            )
