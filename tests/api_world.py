"""A pipeline whose effects are kept, and the API before it: what people say has its effect."""

import asyncio

from browser.site import open_site
from callers import KeptTrail, Named, as_
from httpx import ASGITransport, AsyncClient
from story import Story, ruleset

from diagnostics.instruction import RefusedError
from gateway.ledger.answers import SqlAnswers
from gateway.pipeline import EMPTY
from gateway.ports import Inbound, Notice
from gateway.rulechange import RuleChange

WASHER = "acme/appliance/wm-7"
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}


class KeptStory(Story):
    def take(self, effects):
        self.written = effects.write
        super().take(effects)


class Desk:
    """One washer leaks: a case and an order. It also takes rules and messages, and does nothing with them."""

    def __init__(self, folder, stack):
        self.story, self.site = KeptStory(ruleset(folder, LEAK)), open_site(folder, stack, seeded=False)
        self.answers = SqlAnswers(f"sqlite:///{folder}/ledger.db", most=3)
        stack.callback(self.answers.close)
        self.told = 0
        self.going_on = asyncio.Event()
        self.going_on.set()
        self.trail = KeptTrail()
        self.app = self.site.app(
            callers=Named(),
            answers=self.answers,
            trail=self.trail,
            intake=self,
            reloads=self,
            listen_host="0.0.0.0",  # test clients call it by names of their own
        )
        self.app.state.instructed = self
        self.story.reads(WASHER, {"leak.detected": True})
        self.site.ledger.commit(self.story.written)
        self.order = f"/api/v1/orders/{self.story.orders[-1].order_id}"
        self.case = f"/api/v1/cases/{list(self.story.cases)[-1]}"

    async def instruct(self, device, instruction):
        await self.going_on.wait()
        self.told += 1
        number = self.story.symbols.devices.index[device]
        notice = Notice("instruction", 0, number, self.story.clock, instruction.model_dump(mode="json"))
        effects = self.story.pipeline.push(Inbound(EMPTY, (notice,)))
        self.site.ledger.commit(effects.write)
        if instruction.instruction_id in effects.refused:
            raise RefusedError(effects.refused[instruction.instruction_id])

    async def ask(self, method, path, body=None, who="engineer", **headers):
        sent = as_(who) | {name.replace("_", "-"): value for name, value in headers.items()}
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            return await http.request(method, path, json=body, headers=sent)

    async def reload(self):
        return RuleChange((), (), (), frozenset({"leak"}))

    async def submit(self, packets):
        pass
