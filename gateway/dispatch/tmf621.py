"""Trouble tickets of TM Forum's Open API 621, version 5: created, then patched."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from gateway.dispatch.http import Answer, HttpClient
from gateway.dispatch.sending import NotDeliveredError, Sent
from gateway.dispatch.targets import Target
from gateway.dispatch.ticketstates import OWNER, news_of, state_of_status
from gateway.ports import Owed, Ticket

_TYPE = "forewarnServiceOrder"
_NOT_FOUND = frozenset({404, 410})

#: TMF621 leaves the words of `severity` to the parties; these are the fault's.
_PRIORITY = {"critical": "High", "major": "Medium", "minor": "Low"}


class TicketSender:
    """Keeps one ticket for each order in one ticket system."""

    def __init__(self, target: Target) -> None:
        self._url = f"{target.url}/troubleTicket"
        self._http = HttpClient(target)

    async def send(self, owed: Owed) -> Sent:
        """Create the order's ticket, or bring it up to date.

        A ticket whose id is not known may be there all the same, when its creation was not answered: it is
        looked for by the order's id first.

        Raises:
            NotDeliveredError: the system did not take it.
        """
        order = json.loads(owed.payload)
        known = owed.ticket.id if owed.ticket else await self._find(owed.order_id)
        if known is not None:
            changes = _changes(order)
            if _is_theirs(owed, order):
                del changes["status"]
            answer = await self._write("PATCH", f"{self._url}/{quote(known, safe='')}", changes)
            if answer.status not in _NOT_FOUND:
                return Sent(_ticket(answer, known, order))
        answer = await self._write("POST", self._url, _whole(order))
        answer.raise_for_status()
        identity = answer.document().get("id")
        if not isinstance(identity, str) or not identity or not identity.isprintable():
            raise NotDeliveredError(f"answered {answer.status} without the id of the ticket")
        return Sent(_ticket(answer, identity, order))

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def _write(self, method: str, url: str, document: dict[str, Any]) -> Answer:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind, "Accept": "application/json"}
        answer = await self._http.request(
            method, url, headers=headers, body=json.dumps(document).encode("utf-8")
        )
        if not (method == "PATCH" and answer.status in _NOT_FOUND):
            answer.raise_for_status()
        return answer

    async def _find(self, order_id: str) -> str | None:
        """Return the id of the order's ticket, None where there is none or the system cannot say."""
        query = urlencode({"externalIdentifier.id": order_id, "limit": 20})
        answer = await self._http.request(
            "GET", f"{self._url}?{query}", headers={"Accept": "application/json"}
        )
        if answer.status >= 500 or answer.status == 429:
            answer.raise_for_status()
        listed = answer.json()
        for ticket in listed if isinstance(listed, list) else []:
            if not isinstance(ticket, dict) or not str(ticket.get("id") or "").isprintable():
                continue
            names = ticket.get("externalIdentifier")
            for name in names if isinstance(names, list) else []:
                if isinstance(name, dict) and name.get("id") == order_id:
                    return str(ticket["id"])
        return None


def _ticket(answer: Answer, identity: str, order: dict[str, Any]) -> Ticket:
    news = news_of(answer.document())
    status = None if news is None else news.status
    return Ticket(identity, status, followed=status if _means(status, order) else None)


def _is_theirs(owed: Owed, order: dict[str, Any]) -> bool:
    """Whether a state is the other side's own word, or older than its last: sent, it would set them back."""
    ticket = owed.ticket
    if ticket is None:
        return False
    said = owed.said_by == owed.target or (owed.said_by or "").endswith(f" ({owed.target})")
    older = ticket.followed_at is not None and owed.created <= ticket.followed_at
    return said or older or _means(ticket.followed, order)


def _means(status: str | None, order: dict[str, Any]) -> bool:
    """Whether a ticket's status says what the order's state does."""
    state = None if status is None else state_of_status(status)
    return state is not None and state.value == order["state"]


def _changes(order: dict[str, Any]) -> dict[str, Any]:
    """Return what of a ticket may change. `@type` and what names the order stays."""
    fault = order["fault"]
    return {
        "@type": "TroubleTicket",
        "status": order["state"],
        "severity": fault["severity"],
        "priority": _PRIORITY[fault["severity"]],
        "description": _description(order),
        "attachment": _attachment(order),
    } | _instants(order)


def _whole(order: dict[str, Any]) -> dict[str, Any]:
    device = order["device"]
    name = f"{order['fault']['title']}: {device['model'] or device['device']}"
    return _changes(order) | {
        "name": name,
        "ticketType": _TYPE,
        "creationDate": order["opened_at"],
        "externalIdentifier": [
            {
                "@type": "ExternalIdentifier",
                "owner": OWNER,
                "externalIdentifierType": "serviceOrder",
                "id": order["order_id"],
            }
        ],
        "troubleTicketCharacteristic": _characteristics(order),
    }


def _instants(order: dict[str, Any]) -> dict[str, str]:
    until = order["service"]["resolve_by"]
    return {"requestedResolutionDate": until, "expectedResolutionDate": until} if until else {}


def _description(order: dict[str, Any]) -> str:
    return str(order["diagnosis"]["explanation"] or order["fault"]["title"])


def _attachment(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the console's page as an attachment by reference, where there is one."""
    console = order["links"]["console"]
    if not console:
        return []
    return [
        {
            "@type": "AttachmentRefOrValue",
            "attachmentType": "link",
            "name": "console",
            "mimeType": "text/html",
            "url": console,
        }
    ]


def _characteristics(order: dict[str, Any]) -> list[dict[str, Any]]:
    device = order["device"]
    values = {
        "tenant": order["tenant"],
        "faultCode": order["fault"]["code"],
        "deviceClass": device["class"],
        "device": device["device"],
        "component": device["component"],
        "model": device["model"],
        "serialNumber": device["serial"],
        "firmware": device["firmware"],
        "entitlement": order["entitlement"]["status"],
        "channel": order["service"]["channel"],
    }
    found: list[dict[str, Any]] = [
        {"@type": "StringCharacteristic", "name": name, "valueType": "string", "value": value}
        for name, value in values.items()
        if value is not None
    ]
    found.append(
        {"@type": "ObjectCharacteristic", "name": "serviceOrder", "valueType": "object", "value": order}
    )
    return found
