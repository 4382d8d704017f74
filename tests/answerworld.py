"""An order of a real pipeline in a real ledger, and the API before it at which repairers answer."""

import json
import uuid
from datetime import UTC, datetime, timedelta

from browser.site import open_site
from dispatching import SECRET, target
from httpx import ASGITransport, AsyncClient
from standardwebhooks import Webhook
from story import Story, ruleset

from diagnostics.instruction import RefusedError
from gateway.answering import Answering
from gateway.api.answers import AnswerDesk
from gateway.api.app import create_app
from gateway.errors import OutsideError
from gateway.pipeline import EMPTY
from gateway.ports import Inbound, Notice

LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}


class KeptStory(Story):
    """Remembers what its last step wrote."""

    def take(self, effects):
        self.written = effects.write
        super().take(effects)


class AnswerWorld:
    """Orders of a leak; what is said of them is kept, and owed to other systems.

    `ending` is a gateway that takes no more.
    """

    def __init__(self, tmp_path, stack, *targets):
        self.site = open_site(tmp_path, stack, seeded=False)
        self.events = self.site.events
        self.story = KeptStory(ruleset(tmp_path, LEAK))
        self.outbox = self.site.outbox
        self.ending = False
        self.instructed = 0
        self.answering = Answering(self.site.ledger, self.instruct)
        self.use(*targets)

    def use(self, *targets, callers=None):
        """Let these be the targets of the configuration, and `callers` tell who asks."""
        self.outbox.share_out({each.name: each.tenant for each in targets})
        self.app = create_app(
            ledger=self.site.ledger,
            history=self.site.history,
            events=self.events,
            health=self.site.health,
            pipeline_rules=None,
            changes=self.site.feed,
            clock=self.site.clock,
            outbox=self.outbox,
            callers=callers,
            answer_desk=AnswerDesk(targets, self.answering, self.events, self.outbox.order_of_ticket),
        )

    def leaks(self, device="acme/appliance/wm-7"):
        """A device leaks; returns its order's id."""
        self.story.reads(device, {"leak.detected": True})
        self.site.ledger.commit(self.story.written)
        return self.story.orders[-1].order_id

    async def instruct(self, device, instruction):
        if self.ending:
            raise OutsideError("the gateway is ending")
        self.instructed += 1
        number = self.story.symbols.devices.index[device]
        notice = Notice("instruction", 0, number, self.story.clock, instruction.model_dump(mode="json"))
        effects = self.story.pipeline.push(Inbound(EMPTY, (notice,)))
        self.site.ledger.commit(effects.write)
        if instruction.instruction_id in effects.refused:
            raise RefusedError(effects.refused[instruction.instruction_id])

    async def answer(self, document, *, target="crm", secret=SECRET, identity=None, age=0, **headers):
        """A repairer's webhook: signed with `secret`, `age` s ago."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        identity = identity or f"msg_{uuid.uuid4().hex}"
        at = datetime.now(UTC) - timedelta(seconds=age)
        signed = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(identity, at, body.decode("utf-8", "replace")),
        }
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post(target, body, signed | headers)

    async def post(self, target, body, headers):
        transport = ASGITransport(self.app, client=("192.0.2.7", 4711))
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            answer = await http.post(f"/api/v1/answers/{target}", content=body, headers=headers)
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer

    def counted(self, result, target="crm"):
        return self.events.registry.get_sample_value(
            "forewarn_answers_total", {"target": target, "result": result}
        )

    def order(self, order_id):
        return self.site.ledger.order(order_id)

    def changes(self, order_id):
        return self.site.ledger.order_changes(order_id)


def crm(**keys):
    return target(url="https://crm.example.com/in", **keys)
