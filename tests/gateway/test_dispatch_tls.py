"""TLS to real servers that an authority of the tests' own vouches for: HTTPS, STARTTLS, SMTPS, accounts."""

import pytest
from certificates import certificates
from dispatching import Office, target
from mailservers import MailServer
from receivers import Receiver

#: aiosmtpd takes a connection that was TLS from the beginning for an open one.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    yield office
    office.close()


@pytest.fixture
def served(tmp_path):
    """The authority's file, and what a server called localhost serves with."""
    return certificates(tmp_path, "localhost")


async def failing(office, desk):
    """Why the first attempt at an order fails."""
    office.know(desk)
    office.open(1)
    async with office.dispatching(desk) as until:
        await until(lambda: any(each.detail for each in office.stands()))
    return office.stands()[0].detail


async def test_a_webhook_goes_to_a_server_of_one_s_own_authority(office, served):
    ca_file, context = served
    with Receiver(tls=context) as receiver:
        crm = target(url=f"https://localhost:{receiver.port}/", ca_file=ca_file)
        office.know(crm)
        office.open(1)
        await office.delivered(crm, number=1)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("host", "trusted"), [("localhost", False), ("127.0.0.1", True)], ids=["authority", "name"]
)
async def test_nothing_goes_to_a_server_that_cannot_show_who_it_is(office, served, host, trusted):
    ca_file, context = served
    keys = {"ca_file": ca_file} if trusted else {}
    with Receiver(tls=context) as receiver:
        detail = await failing(office, target(url=f"https://{host}:{receiver.port}/", **keys))
    assert "certificate verify failed" in detail.lower()
    assert not receiver.requests


def mail(server, **keys):
    url = f"{server.scheme}://localhost:{server.port}"
    return target("email", url=url, sender="forewarn@example.org", to=["desk@example.com"], **keys)


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
async def test_mail_goes_over_tls_and_logs_in(office, served, implicit):
    ca_file, context = served
    with MailServer(tls=context, implicit=implicit, account=("forewarn", "s3cret")) as server:
        desk = mail(server, ca_file=ca_file, username="forewarn", password="s3cret")
        office.know(desk)
        office.open(1)
        await office.delivered(desk, number=1)
    (message,) = server.messages
    assert message.over_tls
    assert message.account == "forewarn"


async def test_a_server_that_offers_tls_is_spoken_to_in_it_also_without_an_account(office, served):
    ca_file, context = served
    with MailServer(tls=context) as server:
        desk = mail(server, ca_file=ca_file)
        office.know(desk)
        office.open(1)
        await office.delivered(desk, number=1)
    assert server.messages[0].over_tls


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
async def test_no_mail_and_no_password_goes_to_a_server_that_cannot_show_who_it_is(office, served, implicit):
    _, context = served
    with MailServer(tls=context, implicit=implicit, account=("forewarn", "s3cret")) as server:
        detail = await failing(office, mail(server, username="forewarn", password="s3cret"))
    assert "certificate verify failed" in detail.lower()
    assert not server.messages
    assert not server.logins


async def test_a_password_that_is_refused_is_tried_again_since_it_may_be_put_right(office, served, tmp_path):
    ca_file, context = served
    (tmp_path / "password").write_text("wrong\n")
    with MailServer(tls=context, implicit=True, account=("forewarn", "s3cret")) as server:
        desk = mail(server, ca_file=ca_file, username="forewarn", password_file=tmp_path / "password")
        office.know(desk)
        office.open(1)
        async with office.dispatching(desk) as until:
            await until(lambda: office.count("retry") >= 1)
            assert not server.messages
            (tmp_path / "password").write_text("s3cret\n")
            await until(lambda: office.stands("delivered"))
    assert server.messages[0].account == "forewarn"


async def test_a_server_that_falls_silent_holds_up_no_later_attempt(office, served):
    ca_file, context = served
    with MailServer(tls=context, implicit=True, account=("forewarn", "s3cret"), silent=1) as server:
        desk = mail(server, ca_file=ca_file, username="forewarn", password="s3cret", timeout="1s")
        office.know(desk)
        office.open(1)
        await office.delivered(desk, number=1)
    assert office.stands()[0].owed.attempts == 1
