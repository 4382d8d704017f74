"""A viewer sees no personal data, whatever they ask; who sees it stands in the audit trail."""

import io
import re
from contextlib import ExitStack

import pytest
from browser.site import open_site
from callers import KeptTrail, Named, as_
from hypothesis import given
from hypothesis import strategies as st
from orders_world import OPENED_AT
from paper_orders import drive_case, drive_order, events
from pypdf import PdfReader

from diagnostics.decision import Decision, Reason
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.lifecycle import Actor
from gateway.access.principal import Role
from gateway.api.app import describe_app
from gateway.api.masking import mask, masked_order, personal_of
from gateway.api.rights import Need, api_routes, declared
from gateway.ports import LedgerWrite

ORDER = drive_order()
CASE = "C-drive"
#: As the order has them, and as people write them.
PERSONAL = ("Uhrwerk", "it@uhrwerk.example.com", "rue Centrale", "2502", "+41 32 555 01 02")
NOTE = "Spoke to UHRWERK Jura, rue  Centrale 4; call +41 32 555 01 02 before noon"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    order = ORDER.model_copy(
        update={
            "customer": ORDER.customer.model_copy(
                update={"contact": "it@uhrwerk.example.com, +41 32 555 01 02"}
            )
        }
    )
    order = order.model_copy(update={"case_id": CASE})
    case = drive_case().model_copy(update={"case_id": CASE, "order_id": order.order_id})
    about = {
        "case_id": case.case_id, "tenant": case.tenant, "device_class": case.device_class,
        "device": case.device, "component": case.component, "fault": case.fault, "rule": case.rule,
    }  # fmt: skip
    said = Decision(
        decision_id="d", **about, at=OPENED_AT, outcome="note", reason=Reason.COMMENTED,
        text=f"ada: {NOTE}", values={"who": "ada", "note": NOTE},
    )  # fmt: skip
    change = OrderChange(
        change_id="c", order_id=order.order_id, at=OPENED_AT, who="ada", by=Actor.ENGINEER,
        before=order.state, after=order.state, why=NOTE,
    )  # fmt: skip
    with ExitStack() as stack:
        site = open_site(tmp_path_factory.mktemp("masking"), stack, seeded=False)
        site.ledger.commit(LedgerWrite(cases=[case], events=events(), orders=[order], decisions=[said]))
        site.ledger.commit(LedgerWrite(changes=[change]))
        yield site


@pytest.fixture
def trail():
    return KeptTrail()


@pytest.fixture
async def get(site, trail):
    async with site.client(site.app(callers=Named(), trail=trail)) as client:

        async def got(path, who):
            return await client.get(path, headers=as_(who))

        yield got


def reads():
    """Return the addresses of all that is read of the order and its case, with lists."""
    names = {"case_id": CASE, "order_id": ORDER.order_id}
    for route in api_routes(describe_app()):
        parameters = set(re.findall(r"{(\w+)", route.path))
        need = declared(route)
        readable = "GET" in (route.methods or ()) and isinstance(need, Need) and need.role is not Role.ADMIN
        if readable and parameters <= set(names) and not route.path.endswith("/events"):
            yield route.path.format(**names)


def text_of(answer):
    if answer.headers["content-type"] == "application/pdf":
        return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    return answer.text


async def test_nothing_personal_reaches_a_viewer_by_any_way(get, trail):
    seen = set()
    for path in reads():
        answer = await get(path, "viewer")
        assert answer.status_code == 200, (path, answer.text)
        told = text_of(answer)
        assert not [text for text in PERSONAL if text.lower() in told.lower()], path
        clear = text_of(await get(path, "engineer"))
        seen |= {text for text in PERSONAL if text.lower() in clear.lower()}
    assert seen == set(PERSONAL)
    assert {look[0] for look in trail.looks} == {"engineer"}


async def test_an_order_is_masked_where_the_reader_is_a_viewer(get):
    path = f"/api/v1/orders/{ORDER.order_id}"
    order = (await get(path, "mixed")).json()
    assert order["customer"] | {"language": 0, "time_zone": 0} == {
        "owner": "U•••", "contact": "i•••", "language": 0, "time_zone": 0,
    }  # fmt: skip
    assert order["site"] == {"address": "r•••", "country": "CH"}
    assert order["changes"][0]["why"] == "Spoke to U••• J•••, r•••; call +••• before noon"
    assert order["parts"] == [part.model_dump() for part in ORDER.parts]
    assert (await get(path, "engineer")).json()["customer"]["owner"] == "Uhrwerk Jura AG"


async def test_a_look_is_kept_and_a_list_is_one(get, trail):
    await get(f"/api/v1/orders/{ORDER.order_id}", "engineer")
    await get("/api/v1/orders", "admin")
    await get("/api/v1/orders", "viewer")
    await get("/api/v1/cases", "engineer")
    assert trail.looks == [
        ("engineer", "order.look", f"order:{ORDER.order_id}", "acme"),
        ("admin", "order.look", "order:*", "acme", 1),
    ]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=5, max_size=40)


@given(NAMES.map(str.strip).filter(lambda name: len(name) > 4))
def test_what_the_texts_of_an_order_repeat_is_masked_whatever_it_is(name):
    texts = ORDER.texts.model_copy(update={"customer": f"Good day {name},\n(again: {name})"})
    order = ORDER.model_copy(
        update={"customer": ORDER.customer.model_copy(update={"owner": name}), "texts": texts}
    )
    shown = masked_order(order)
    assert shown.texts.customer == f"Good day {mask(name)},\n(again: {mask(name)})"
    assert shown.customer.owner == mask(name)


def test_masked_twice_is_masked_once():
    once = masked_order(ORDER)
    assert masked_order(once) == once
    assert personal_of(once) == []
    assert mask("Erika") == "E•••"
