"""Trouble tickets, mail and files: what arrives at real servers and in real folders."""

import asyncio
import csv
import io
import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest
from cloudevents.core.formats.json import JSONFormat
from dispatching import CLOSED, OPENED, Office, target
from mailservers import MailServer
from receivers import DROP, Receiver, Reply

from gateway.ports import LedgerWrite, Ticket

#: One test shows that nothing is sent where aiosmtpd warns that it should not be.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    yield office
    office.close()


class TicketSystem:
    """A small TMF621 server: keeps tickets, finds them by external identifier, patches by merging."""

    def __init__(self, *, unanswered=0):
        self.tickets = {}
        self.kinds = []
        self._unanswered = unanswered

    def answer(self, request):
        parts = urlsplit(request.path)
        assert parts.path.startswith("/tmf-api/troubleTicket/v5/troubleTicket")
        if request.method == "GET":
            wanted = parse_qs(parts.query)["externalIdentifier.id"]
            found = [t for t in self.tickets.values() if [n["id"] for n in t["externalIdentifier"]] == wanted]
            return self._said(200, found)
        self.kinds.append((request.method, request.headers["content-type"]))
        if request.method == "POST":
            ticket = {**request.document, "id": f"TT/{len(self.tickets) + 1}", "status": "acknowledged"}
            self.tickets[ticket["id"]] = ticket
            if self._unanswered:
                self._unanswered -= 1
                return DROP
            return self._said(201, ticket)
        identity = parts.path.rpartition("/")[2].replace("%2F", "/")
        if identity not in self.tickets:
            return self._said(404, {"@type": "Error", "code": "60", "reason": "no such ticket"})
        self.tickets[identity] |= request.document
        return self._said(200, self.tickets[identity])

    def _said(self, status, document):
        return Reply(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def desk(receiver, **keys):
    url = f"http://127.0.0.1:{receiver.port}/tmf-api/troubleTicket/v5/"
    return target("tmf621", url=url, token="s3cret", **keys)


async def test_an_order_becomes_a_ticket_that_is_patched(office):
    system = TicketSystem()
    with Receiver(then=system.answer) as receiver:
        tickets = desk(receiver)
        office.know(tickets)
        office.open(1)
        await office.delivered(tickets, number=1)
        assert office.stands()[0].owed.ticket.id == "TT/1"
        office.end(1)
        await office.delivered(tickets, number=2)
    (ticket,) = system.tickets.values()
    assert system.kinds == [("POST", "application/json"), ("PATCH", "application/merge-patch+json")]
    assert {request.headers["authorization"] for request in receiver.requests} == {"Bearer s3cret"}
    assert ticket["@type"] == "TroubleTicket"
    assert (ticket["status"], ticket["severity"], ticket["priority"]) == ("closed", "minor", "Low")
    assert ticket["externalIdentifier"][0]["id"] == "SO-1"
    assert ticket["description"]
    values = {each["name"]: each["value"] for each in ticket["troubleTicketCharacteristic"]}
    assert values["device"] == "wm-1"
    assert values["serviceOrder"]["order_id"] == "SO-1"


@pytest.mark.parametrize(("since", "sent"), [(0, True), (2**60, False)], ids=["before", "after"])
async def test_a_state_from_before_their_last_word_does_not_set_their_ticket_back(office, since, sent):
    system = TicketSystem()
    with Receiver(then=system.answer) as receiver:
        tickets = desk(receiver)
        office.know(tickets)
        office.open(1)
        await office.delivered(tickets, number=1)
        office.outbox.keep_ticket("crm", "SO-1", Ticket("TT/1", "held", "held", since), 1)
        office.end(1)
        await office.delivered(tickets, number=2)
    patch = receiver.requests[-1].document
    assert ("status" in patch) == sent
    assert patch["severity"] == "minor"


async def test_a_creation_that_was_not_answered_makes_no_second_ticket(office):
    system = TicketSystem(unanswered=1)
    with Receiver(then=system.answer) as receiver:
        tickets = desk(receiver)
        office.know(tickets)
        office.open(1)
        await office.delivered(tickets, number=1)
    assert list(system.tickets) == ["TT/1"]
    assert [method for method, _ in system.kinds] == ["POST", "PATCH"]


async def test_a_ticket_that_is_gone_is_made_anew(office):
    system = TicketSystem()
    with Receiver(then=system.answer) as receiver:
        tickets = desk(receiver)
        office.know(tickets)
        office.open(1)
        await office.delivered(tickets, number=1)
        system.tickets["TT/9"] = system.tickets.pop("TT/1") | {"externalIdentifier": []}
        office.end(1)
        await office.delivered(tickets, number=2)
    assert system.tickets["TT/2"]["externalIdentifier"][0]["id"] == "SO-1"


def mail(server, **keys):
    people = ["desk@example.com", "night@example.com"]
    return target("email", url=server.url, sender="forewarn@example.org", **{"to": people, **keys})


async def test_an_order_comes_as_a_readable_message(office):
    with MailServer("451 try later") as server:
        desk = mail(server)
        office.know(desk)
        order = office.order(1)
        told = order.device.model_copy(update={"model": "W\r\nBcc: all@example.com"})
        office.ledger.commit(LedgerWrite(orders=[order.model_copy(update={"device": told})]))
        office.end(1)
        await office.delivered(desk, number=2)
    (opened, closed) = (taken.message for taken in server.messages)
    assert server.tried == 3
    first = server.messages[0]
    assert (first.sender, first.recipients) == (
        "forewarn@example.org",
        ["desk@example.com", "night@example.com"],
    )
    assert opened["subject"].startswith("[SO-1] opened: minor, ")
    assert opened["bcc"] is None
    assert closed["subject"].startswith("[SO-1] closed: ")
    assert opened["references"] == closed["references"]
    assert opened["message-id"] != closed["message-id"]
    assert (opened["in-reply-to"], closed["in-reply-to"]) == (None, opened["message-id"])
    text = opened.get_body(("plain",)).get_content()
    assert "Device:      W Bcc: all@example.com, appliance, wm-1" in text.splitlines()
    (attached,) = opened.iter_attachments()
    assert json.loads(attached.get_content())["order_id"] == "SO-1"


@pytest.mark.parametrize(
    ("recipients", "to", "said"),
    [
        ({"no@example.com": "550 no such user"}, ["no@example.com"], "550 no such user"),
        ({"no@example.com": "550 no such user"}, ["a@example.com", "no@example.com"], "some recipients"),
    ],
)
async def test_mail_that_is_refused_for_good_is_a_dead_letter(office, recipients, to, said):
    with MailServer(recipients=recipients) as server:
        desk = mail(server, to=to)
        office.know(desk)
        office.open(1)
        async with office.dispatching(desk) as until:
            await until(lambda: office.stands("dead"))
    assert said in office.stands("dead")[0].detail


async def test_a_password_does_not_go_over_an_open_line(office):
    with MailServer(account=("u", "p")) as server:
        desk = mail(server, username="u", password="p", attempts=1)
        office.know(desk)
        office.open(1)
        async with office.dispatching(desk) as until:
            await until(lambda: office.stands("dead"))
    assert not server.logins
    assert not server.messages


async def test_mail_goes_to_the_address_that_was_checked_and_to_no_private_one(office, monkeypatch):
    asked = []

    async def getaddrinfo(host, port, **_):
        """A name server that gives one address to the check, and another to whoever asks again."""
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with MailServer() as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        keys = {
            "url": f"smtp://rebinding.example.com:{server.port}",
            "sender": "f@example.org",
            "to": ["d@b.de"],
        }
        desk = target("email", **keys)
        office.know(desk)
        office.open(1)
        await office.delivered(desk, number=1)
        assert asked == ["rebinding.example.com"]
        outside = target("email", allow_private=False, **keys)
        office.open(2)
        async with office.dispatching(outside) as until:
            await until(lambda: office.count("retry") >= 1 and office.stands("waiting")[0].detail)
    assert "no public address" in office.stands("waiting")[0].detail
    assert len(server.messages) == 1


async def test_a_ticket_system_that_redirects_is_not_followed(office):
    system = TicketSystem()
    with Receiver(then=system.answer) as inside:
        url = f"http://127.0.0.1:{inside.port}/tmf-api/troubleTicket/v5/troubleTicket"
        with Receiver(then=lambda _: Reply(302, {"Location": url})) as receiver:
            tickets = desk(receiver)
            office.know(tickets)
            office.open(1)
            async with office.dispatching(tickets) as until:
                await until(lambda: office.count("retry") >= 1 and office.stands("waiting")[0].detail)
    assert not inside.requests
    assert "redirect" in office.stands("waiting")[0].detail


async def test_events_are_written_as_files(office, tmp_path):
    folder = tmp_path / "out" / "here"
    written = target("file", folder=str(folder))
    office.know(written)
    office.open(1)
    office.end(1)
    await office.delivered(written, number=2)
    names = sorted(path.name for path in folder.iterdir())
    assert [name.partition("-")[2] for name in names] == ["SO-1-opened.json", "SO-1-closed.json"]
    events = [JSONFormat().read(None, (folder / name).read_bytes()) for name in names]
    assert [event.get_type() for event in events] == [OPENED, CLOSED]
    assert events[1].get_data()["state"] == "closed"


async def test_a_table_holds_the_order_and_no_formula(office, tmp_path):
    written = target("file", folder=str(tmp_path / "out"), format="csv")
    office.know(written)
    order = office.order(1)
    told = order.device.model_copy(update={"serial": '=HYPERLINK("http://x")', "model": 'Müller, "W"\n9'})
    office.ledger.commit(LedgerWrite(orders=[order.model_copy(update={"device": told})]))
    await office.delivered(written, number=1)
    (path,) = (tmp_path / "out").iterdir()
    text = path.read_bytes().decode("utf-8")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["event"] == OPENED
    assert row["device.serial"] == '\'=HYPERLINK("http://x")'
    assert row["device.model"] == 'Müller, "W"\n9'
    assert json.loads(row["diagnosis.evidence"])[0]["signal"] == "leak.detected"


async def test_a_folder_that_cannot_be_made_is_tried_again(office, tmp_path):
    in_the_way = tmp_path / "out"
    in_the_way.write_text("a file")
    written = target("file", folder=str(in_the_way / "orders"))
    office.know(written)
    office.open(1)
    async with office.dispatching(written) as until:
        await until(lambda: office.count("retry") >= 1)
        in_the_way.unlink()
        await until(lambda: office.stands("delivered"))
    assert [path.suffix for path in (in_the_way / "orders").iterdir()] == [".json"]
