"""States of trouble tickets, read back: what the other side does to a ticket, its order follows."""

import asyncio
import random
from typing import Any
from urllib.parse import quote, urlencode

from diagnostics.instruction import RefusedError
from diagnostics.naming import derived
from diagnostics.orders.model import OrderState
from gateway.answering import Answer, Answering, NoSuchOrderError
from gateway.clock import Clock
from gateway.dispatch.http import Answer as Answered
from gateway.dispatch.http import HttpClient
from gateway.dispatch.sending import NotDeliveredError
from gateway.dispatch.targets import Target
from gateway.dispatch.ticketstates import TicketNews, news_of
from gateway.errors import OutsideError
from gateway.events import Events
from gateway.pauses import Pauses
from gateway.ports import Outbox, Ticket, TicketStanding

#: Tickets that are asked for in one request, where the system lists them by id.
_AT_ONCE = 50
#: Entity tags that are remembered; more are forgotten, all together.
_MOST_TAGS = 20_000
#: Seconds between attempts at a system that fails: the first pause and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0

_NOT_FOUND = frozenset({404, 410})
_NOT_MODIFIED, _BAD_REQUEST = 304, 400


class TicketReader:
    """Reads the tickets of one system again and again, and lets orders follow them.

    A status counts as news when it is another than the one that the order has followed last, so what the
    gateway itself wrote there, and what it has not sent yet, never comes back as the other side's word.

    Args:
        target: of kind ``tmf621``.
        outbox: which tickets there are, and how they stood.
        answering: lets an order follow.
        clock: of real time.
        events: counters and log.
        first_pause: s, the pause after a failure; each further one is twice as long.
    """

    def __init__(
        self,
        target: Target,
        outbox: Outbox,
        answering: Answering,
        *,
        clock: Clock,
        events: Events,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._target = target
        self._url = f"{target.url}/troubleTicket"
        self._outbox = outbox
        self._answering = answering
        self._clock = clock
        self._events = events
        self._pauses = Pauses(first_pause, max(first_pause, LONGEST_PAUSE))
        self._http = HttpClient(target)
        self._tags: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()  # what is wrong with a ticket, once
        self._lists = True  # until the system is seen not to list by id
        events.ticket_reader(target.name)

    async def run(self) -> None:
        """Read for ever, every `poll` seconds or so: no two gateways keep in step."""
        try:
            while True:
                pause = self._target.poll * random.uniform(0.8, 1.2)  # noqa: S311  (no secret)
                try:
                    await self._round()
                except (NotDeliveredError, OutsideError, TimeoutError) as error:
                    held = error.retry_after if isinstance(error, NotDeliveredError) else None
                    pause = max(pause, self._pauses.take(), held or 0.0)
                    detail = str(error) or "not kept in time"
                    self._events.tickets_not_read(target=self._target.name, detail=detail, retry_in=pause)
                else:
                    self._pauses.reset()
                await asyncio.sleep(pause)
        finally:
            await self._http.close()

    async def _round(self) -> None:
        """Read every ticket once."""
        for news in self._target.credentials.look():
            self._events.secret_reread(target=self._target.name, path=str(news.path), problem=news.problem)
        after = ""
        while True:
            tickets = await asyncio.to_thread(
                self._outbox.tickets_to_read, self._target.name, after, _AT_ONCE
            )
            if not tickets:
                return
            rest = await self._by_list(tickets) if self._lists and len(tickets) > 1 else tickets
            for ticket in rest:
                await self._one(ticket)
            after = tickets[-1].order_id

    async def _by_list(self, tickets: list[TicketStanding]) -> list[TicketStanding]:
        """Read tickets in one request and return those of which it told nothing."""
        by_id = {ticket.ticket.id: ticket for ticket in tickets}
        url = f"{self._url}?{urlencode({'id': ','.join(by_id), 'limit': len(by_id)}, safe=',')}"
        answer = await self._get(url)
        if answer.status == _NOT_MODIFIED:
            self._events.tickets_read(target=self._target.name, result="unchanged", number=len(tickets))
            return []
        listed = answer.json() if answer.status < _BAD_REQUEST else None
        documents = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        found = {str(each.get("id")): each for each in documents}
        if not found or not found.keys() <= by_id.keys():
            self._lists = False  # it does not know the filter, or not as a list
            return tickets
        for identity, document in found.items():
            await self._follow(by_id[identity], document)
        self._keep_tag(url, answer)
        return [ticket for identity, ticket in by_id.items() if identity not in found]

    async def _one(self, ticket: TicketStanding) -> None:
        url = f"{self._url}/{quote(ticket.ticket.id, safe='')}"
        answer = await self._get(url)
        if answer.status == _NOT_MODIFIED:
            self._events.tickets_read(target=self._target.name, result="unchanged", number=1)
        elif answer.status in _NOT_FOUND:
            self._wrong(ticket, "gone", None)
        else:
            answer.raise_for_status()
            await self._follow(ticket, answer.document())
            self._keep_tag(url, answer)

    async def _get(self, url: str) -> Answered:
        headers = {"Accept": "application/json"}
        if url in self._tags:
            headers["If-None-Match"] = self._tags[url]
        answer = await self._http.request("GET", url, headers=headers)
        if answer.status >= 500 or answer.status in (401, 403, 408, 425, 429):
            answer.raise_for_status()
        return answer

    def _keep_tag(self, url: str, answer: Answered) -> None:
        """Remember what version of an answer was followed to its end."""
        tag = answer.headers.get("etag")
        if tag is None or not (tag.isascii() and tag.isprintable()):
            self._tags.pop(url, None)
            return
        if len(self._tags) >= _MOST_TAGS:
            self._tags.clear()
        self._tags[url] = tag

    async def _follow(self, standing: TicketStanding, document: dict[str, Any]) -> None:
        """Let an order follow its ticket, where that has news."""
        name, ticket = self._target.name, standing.ticket
        news = news_of(document)
        if news is None:
            self._wrong(standing, "unknown", None)
            return
        self._events.tickets_read(target=name, result="read", number=1)
        if news.status == ticket.followed:
            return
        if news.state is None:
            if news.status != ticket.state:
                self._wrong(standing, "unknown", news.status)
                await self._keep(standing, news.status)
            return
        at = self._clock.now()
        if news.state.value != standing.order_state:
            await self._answer(standing, news, news.state)
        await self._keep(standing, news.status, news.status, at)

    def _wrong(self, standing: TicketStanding, result: str, status: str | None) -> None:
        """Say once that a ticket cannot be followed."""
        what = (standing.ticket.id, f"{result} {status}")
        if what not in self._told:
            self._told.add(what)
            self._events.ticket_not_followed(
                target=self._target.name,
                result=result,
                order_id=standing.order_id,
                ticket=standing.ticket.id,
                status=status,
            )

    async def _answer(self, standing: TicketStanding, news: TicketNews, state: OrderState) -> None:
        """Let the order come to the state of its ticket; one that it cannot come to is told of, once."""
        name, order_id = self._target.name, standing.order_id
        key = derived("I-", "ticket", name, standing.ticket.id, news.status, standing.changed)
        answer = Answer(key, order_id, name, state, news.outcome, note=news.why)
        try:
            answered = await self._answering.take(answer, tenant=self._target.tenant)
        except (NoSuchOrderError, RefusedError) as error:
            result = "refused" if isinstance(error, RefusedError) else "unknown"
            self._events.answer(target=name, result=result, detail=str(error), order_id=order_id)
            return
        result = "repeated" if answered.repeated else "taken"
        self._events.answer(target=name, result=result, detail=news.why or news.status, order_id=order_id)

    async def _keep(
        self,
        standing: TicketStanding,
        status: str,
        followed: str | None = None,
        followed_at: int | None = None,
    ) -> None:
        ticket = Ticket(standing.ticket.id, status, followed, followed_at)
        now = self._clock.now()
        await asyncio.to_thread(self._outbox.keep_ticket, self._target.name, standing.order_id, ticket, now)
