"""A pipeline whose effects are kept, and the API before it: what people say has its effect."""

import asyncio

from browser.site import open_site
from callers import KeptTrail, Named, as_
from httpx import ASGITransport, AsyncClient
from story import Story, ruleset

from gateway.access.access import Access
from gateway.access.settings import AccessTable
from gateway.api.accessing import AccessDesk
from gateway.ledger.answers import SqlAnswers
from gateway.ledger.people import SqlPeople
from gateway.pipeline import EMPTY
from gateway.ports import Inbound, Notice
from gateway.registry_desk import RegistryDesk
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
        self.registry = RegistryDesk(folder / "registry", folder / "registry.db")
        stack.callback(self.registry.close)
        self.registry.put("owners", {"owner": "anna", "name": "Anna Weber"})
        self.registry.put("devices", {"tenant": "acme", "class": "pc", "device": "p-1", "owner": "anna"})
        people = SqlPeople(f"sqlite:///{folder}/ledger.db")
        stack.callback(people.close)
        access = Access(people, AccessTable(), events=self.site.events)
        self.app = self.site.app(
            callers=Named(),
            access=AccessDesk(access),
            repeats=self.answers,
            trail=self.trail,
            intake=self,
            reloads=self,
            registry_desk=self.registry,
            listen_host="0.0.0.0",  # test clients call it by names of their own
        )
        self.app.state.instructed = self
        self.story.reads(WASHER, {"leak.detected": True})
        self.site.ledger.commit(self.story.written)
        self.order = f"/api/v1/orders/{self.story.orders[-1].order_id}"
        self.case = f"/api/v1/cases/{list(self.story.cases)[-1]}"

    async def instruct(self, words):
        await self.going_on.wait()
        self.told += len(words)
        notices = tuple(
            Notice(
                "instruction",
                0,
                self.story.symbols.devices.intern(device),
                self.story.clock,
                said.model_dump(mode="json", by_alias=True),
            )
            for device, said in words
        )
        effects = self.story.pipeline.push(Inbound(EMPTY, notices))
        self.site.ledger.commit(effects.write)
        return [effects.refused.get(said.instruction_id) for _, said in words]

    async def ask(self, method, path, body=None, who="engineer", **headers):
        sent = as_(who) | {name.replace("_", "-"): value for name, value in headers.items()}
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            return await http.request(method, path, json=body, headers=sent)

    async def reload(self):
        return RuleChange((), (), (), frozenset({"leak"}))

    async def submit(self, packets):
        pass
