"""People act by the API: a real pipeline, a real ledger, requests over HTTP."""

from browser.site import open_site
from httpx import ASGITransport, AsyncClient
from story import Story, ruleset

from gateway.clock import ManualClock
from gateway.errors import OutsideError
from gateway.pipeline import EMPTY
from gateway.ports import Inbound, Notice
from gateway.rulesview import RulePacks


class World:
    """A story whose effects are kept, and the API before it."""

    def __init__(self, story, site):
        self.story, self.site = story, site
        self.ending = False
        self.app = site.app()
        self.app.state.instructed = self

    def reads(self, device, values):
        self.take(lambda: self.story.reads(device, values))

    def passes(self, duration):
        self.take(lambda: self.story.passes(duration))

    def says(self, device, leaf, **body):
        self.take(lambda: self.story.says(device, leaf, **body))

    def answer(self, state, **result):
        self.take(lambda: self.story.answer(state, **result))

    def take(self, step):
        step()
        self.site.clock.move_to(self.story.clock)
        self.site.ledger.commit(self.story.written)

    async def instruct(self, words):
        if self.ending:
            raise OutsideError("the gateway is ending")
        intern = self.story.symbols.devices.intern
        notices = tuple(
            Notice(
                "instruction",
                0,
                intern(device),
                self.story.clock,
                said.model_dump(mode="json", by_alias=True),
            )
            for device, said in words
        )
        self.take(lambda: self.story.take(self.story.pipeline.push(Inbound(EMPTY, notices))))
        return [self.story.refused.get(said.instruction_id) for _, said in words]

    async def post(self, path, body=None, status=200, client="127.0.0.1", **headers):
        return await self.ask("POST", path, body, status, client, **headers)

    async def patch(self, path, body, status=200):
        return await self.ask("PATCH", path, body, status)

    async def delete(self, path, status=200):
        return await self.ask("DELETE", path, None, status)

    async def ask(self, method, path, body=None, status=200, client="127.0.0.1", **headers):
        transport = ASGITransport(self.app, client=(client, 4711))
        headers = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            answer = await http.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.json()

    async def get(self, path):
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            return (await http.get(f"/api/v1{path}")).raise_for_status().json()

    @property
    def order(self):
        return f"/orders/{self.story.orders[-1].order_id}"

    @property
    def case(self):
        return f"/cases/{list(self.story.cases)[-1]}"


class KeptStory(Story):
    """Remembers what its last step wrote."""

    def take(self, effects):
        self.written = effects.write
        super().take(effects)


def open_world(folder, stack, *rules):
    """Open a world with rules of its own, closed with the stack."""
    site = open_site(folder, stack, seeded=False)
    story = KeptStory(ruleset(folder, *rules))
    site.clock = ManualClock(story.clock)
    world = World(story, site)
    world.app.state.queries.rules = RulePacks(story.ruleset)
    return world
