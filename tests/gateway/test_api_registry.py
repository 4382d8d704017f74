"""The registry row by row over HTTP: as the import checks it, with the rights of whoever asks."""

from contextlib import ExitStack

import pytest
from browser.site import open_site
from callers import KeptTrail, Named, as_
from paper_orders import drive_order
from registry_files import GOOD

from gateway.ports import LedgerWrite
from gateway.registry import load_registry
from gateway.registry_desk import RegistryDesk
from rules.symbols import DeviceId

REGISTRY = "/api/v1/registry"
GLOBEX = {"tenant": "nordfrost", "class": "pc", "device": "p-1", "owner": "bert"}


class Office:
    """A registry in a folder, and the API before it."""

    def __init__(self, folder, stack):
        self.folder, self.changes, self.trail = folder, [], KeptTrail()
        self.site = open_site(folder, stack, seeded=False)
        self.desk = RegistryDesk(
            folder / "registry",
            folder / "registry.db",
            ledger_url=f"sqlite:///{folder}/ledger.db",
            on_change=lambda: self.changes.append(1),
        )
        stack.callback(self.desk.close)
        self.app = self.site.app(callers=Named(), registry_desk=self.desk, trail=self.trail)

    async def ask(self, method, path, body=None, who="everywhere", status=200, content=None, **headers):
        sent = as_(who) | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.site.client(self.app) as http:
            path = f"{REGISTRY}{path}"
            answer = await http.request(method, path, json=body, content=content, headers=sent)
        assert answer.status_code == status, answer.text
        return answer

    async def rows(self, table, who="everywhere", **query):
        async with self.site.client(self.app) as http:
            answer = await http.get(f"{REGISTRY}/{table}", params=query, headers=as_(who))
        return answer.json()["items"]


@pytest.fixture
async def office(tmp_path):
    with ExitStack() as stack:
        office = Office(tmp_path, stack)
        for name, text in GOOD.items():
            table = name.removesuffix(".csv")
            content = text.encode()
            answer = await office.ask("POST", f"/{table}/import", content=content, Content_Type="text/csv")
            assert (answer.json()["refused"], answer.json()["problems"]) == (0, [])
        await office.ask("PUT", "/owners/bert", {"owner": "bert", "name": "Bert Vogel"})
        await office.ask("PUT", "/devices/nordfrost/pc/p-1", GLOBEX)
        yield office


async def test_every_row_of_every_table_is_listed_shown_and_put_again(office):
    tables = (await office.ask("GET", "")).json()["items"]
    assert {table["table"] for table in tables} == {name.removesuffix(".csv") for name in GOOD}
    for table in tables:
        rows = await office.rows(table["table"])
        assert rows
        for row in rows:
            path = f"/{row['table']}/{row['id']}"
            shown = await office.ask("GET", path)
            assert shown.json() == row
            again = await office.ask("PUT", path, row["values"], If_Match=shown.headers["etag"])
            assert (again.json(), again.headers["etag"]) == (row, shown.headers["etag"])
            await office.ask("GET", path, status=304, If_None_Match=shown.headers["etag"])
            assert set(row["values"]) <= set(table["columns"])


async def test_what_is_put_is_known_to_the_next_order(office):
    before = len(office.changes)
    await office.ask("PUT", "/owners/anna", {"owner": "anna", "name": "Anna Weber-Vogt", "language": "de"})
    assert len(office.changes) == before  # looked up when it is asked for
    await office.ask(
        "PUT", "/parts/P-9", {"part": "P-9", "title": "Door", "kind": "door", "models": ["W9*", "X1"]}
    )
    assert len(office.changes) == before + 1
    registry = load_registry(office.folder / "registry", office.folder / "registry.db")
    assert registry.owners["anna"].name == "Anna Weber-Vogt"
    assert registry.parts["P-9"].models == ("W9*", "X1")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/owners/eve", {"owner": "eve", "language": "??"}, "language: expected"),
        (
            "/devices/acme/pc/p-9",
            {"tenant": "acme", "class": "pc", "device": "p-9", "owner": "?"},
            "owner: expected",
        ),
        ("/parts/P-3", {"part": "P-3"}, "title: expected a value"),
        ("/owners/eve", {"owner": "adam"}, "owner: expected in the body what names the row eve, got 'adam'"),
        ("/owners/eve", {"owner": "eve", "colour": "red"}, "colour: expected one of"),
        ("/owners/eve", {"owner": "eve", "name": "a\u0007"}, "control characters"),
    ],
)
async def test_what_is_wrong_is_told_by_its_column_and_nothing_is_kept(office, path, body, said):
    problem = (await office.ask("PUT", path, body, status=422)).json()
    assert said in problem["detail"]
    await office.ask("GET", path, status=404)


async def test_rows_are_added_once_changed_as_seen_and_removed_when_nobody_refers_to_them(office):
    body = {"warehouse": "WH-Wien", "country": "AT", "part": "P-1", "quantity": 4}
    added = (await office.ask("POST", "/stock", body, status=201)).json()
    await office.ask("POST", "/stock", body, status=409)
    path = f"/stock/{added['id']}"
    tag = (await office.ask("GET", path)).headers["etag"]
    await office.ask("PUT", path, body | {"quantity": 5})
    await office.ask("PUT", path, body, status=412, If_Match=tag)
    await office.ask("DELETE", path, status=412, If_Match=tag)
    assert "stock" in (await office.ask("DELETE", "/parts/P-1", status=409)).json()["detail"]
    assert "acme" in (await office.ask("DELETE", "/owners/anna", status=409)).json()["detail"]
    await office.ask("DELETE", path, status=204)
    await office.ask("GET", path, status=404)
    await office.ask("DELETE", "/devices/nordfrost/pc/p-1", status=204)
    await office.ask("DELETE", "/owners/bert", status=204)
    assert not load_registry(office.folder / "registry", office.folder / "registry.db").owners.get("bert")


async def test_an_import_takes_the_good_rows_and_reports_the_others(office):
    content = b"owner,name,language\ncarl,Carl,de\ndora,Dora,??\n"
    dry = (
        await office.ask("POST", "/owners/import?check=true", content=content, Content_Type="text/csv")
    ).json()
    await office.ask("GET", "/owners/carl", status=404)
    report = (await office.ask("POST", "/owners/import", content=content, Content_Type="text/csv")).json()
    assert report == dry
    assert (report["taken"], report["refused"]) == (1, 1)
    assert report["problems"][0].startswith("owners.csv:3: language: expected")
    assert (await office.ask("GET", "/owners/carl")).json()["values"]["name"] == "Carl"
    lines = b'{"owner": "emil"}\n'
    await office.ask("POST", "/owners/import", content=lines, Content_Type="application/jsonl")
    await office.ask("POST", "/owners/import", content=b"[", status=200, Content_Type="application/json")
    await office.ask("POST", "/owners/import", content=b"x", status=415, Content_Type="text/html")


async def test_who_writes_is_an_admin_of_the_tenant(office):
    device = {"tenant": "acme", "class": "pc", "device": "p-2"}
    await office.ask("PUT", "/devices/acme/pc/p-2", device, "engineer", 403)
    await office.ask("PUT", "/devices/acme/pc/p-2", device, "admin")
    await office.ask("PUT", "/devices/nordfrost/pc/p-2", device | {"tenant": "nordfrost"}, "admin", 403)
    await office.ask("PUT", "/owners/bert", {"owner": "bert"}, "admin", 404)
    part = {"part": "P-2", "title": "Door", "kind": "door", "models": "W900"}
    await office.ask("PUT", "/parts/P-2", part, "admin", 403)  # it would be for all tenants
    await office.ask("PUT", "/parts/P-2", part | {"tenant": "acme"}, "admin")
    rows = b"tenant,class,device\nacme,pc,p-3\nnordfrost,pc,p-3\n"
    refused = await office.ask("POST", "/devices/import", None, "admin", 403, rows, Content_Type="text/csv")
    assert "row 2: " in refused.json()["detail"]
    await office.ask("GET", "/devices/acme/pc/p-3", status=404)
    await office.ask("POST", "/devices/import", None, "admin", 200, rows[:31], Content_Type="text/csv")


async def test_rows_are_those_of_the_caller_s_tenants_and_persons_are_masked_for_viewers(office):
    assert {row["id"] for row in await office.rows("owners", "engineer")} == {"anna"}
    assert {row["id"] for row in await office.rows("devices", "viewer")} == {
        "acme/appliance/wm-7",
        "acme/server/srv-1",
    }
    assert {row["id"] for row in await office.rows("owners", "everywhere")} == {"anna", "bert"}
    [anna] = await office.rows("owners", "viewer")
    assert anna["values"] | {"language": 0, "time_zone": 0} == {
        "owner": "anna", "name": "A•••", "contact": "a•••", "language": 0, "time_zone": 0,
    }  # fmt: skip
    assert anna["masked"] == ["name", "contact"]
    assert (await office.rows("sites", "viewer"))[0]["values"]["address"] == "L•••"
    assert await office.rows("owners", "viewer", column="name", value="Anna Weber") == []
    assert await office.rows("owners", "engineer", column="name", value="Anna Weber")
    office.trail.looks.clear()
    await office.ask("GET", "/owners/anna", who="engineer")
    await office.rows("owners", "admin")
    await office.rows("owners", "viewer")
    await office.rows("devices", "admin")
    assert office.trail.looks == [
        ("engineer", "registry.look", "owners:anna", "acme", 1),
        ("admin", "registry.look", "owners:*", "acme", 1),
    ]


async def test_pages_hold_every_row_once_files_go_before_the_database_and_are_not_changed(office):
    (office.folder / "registry").mkdir()
    lines = "".join(f"o-{number:03},File {number},de\n" for number in range(0, 700, 7))
    (office.folder / "registry" / "owners.csv").write_text(f"owner,name,language\n{lines}")
    rows = "".join(f"o-{number:03},Base,de\n" for number in range(600)).encode()
    await office.ask(
        "POST", "/owners/import", content=b"owner,name,language\n" + rows, Content_Type="text/csv"
    )
    found, cursor = [], None
    while True:
        path = "/owners?limit=130" + (f"&cursor={cursor}" if cursor else "")
        page = (await office.ask("GET", path)).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    ids = [row["id"] for row in found]
    assert ids == sorted(set(ids))
    assert len(ids) == 600 + len(range(602, 700, 7)) + 2
    assert {row["source"] for row in found if row["values"].get("name", "").startswith("File")} == {"file"}
    assert (
        "owners.csv"
        in (await office.ask("PUT", "/owners/o-007", {"owner": "o-007"}, status=409)).json()["detail"]
    )
    await office.ask("DELETE", "/owners/o-007", status=409)
    await office.ask("GET", "/owners?cursor=bm90", status=422)


async def test_a_person_is_erased_and_the_history_stays(office):
    order = drive_order(customer={"owner": "Anna Weber", "contact": "anna@example.org"})
    office.site.ledger.commit(LedgerWrite(orders=[order]))
    await office.ask("DELETE", "/owners/anna/personal-data", who="engineer", status=403)
    told = (await office.ask("DELETE", "/owners/anna/personal-data", who="admin")).json()
    assert told == {"owner": "anna", "sites": ["h1"], "shared": [], "orders": 1}
    kept = (await office.ask("GET", "/owners/anna")).json()["values"]
    assert kept == {"owner": "anna", "language": "de", "time_zone": "Europe/Berlin"}
    assert "address" not in (await office.ask("GET", "/sites/h1")).json()["values"]
    assert office.site.ledger.order(order.order_id).customer.owner is None
    registry = load_registry(office.folder / "registry", office.folder / "registry.db")
    assert registry.devices[DeviceId("acme", "appliance", "wm-7")].serial == "W-55"
    await office.ask("DELETE", "/owners/nobody/personal-data", status=404)
