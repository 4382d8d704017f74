"""``forewarn orders paper``, ``orders export`` and ``devices handover`` as a user runs them."""

import csv
import io
import json

import pytest
import typer
from orders_world import SERVER, drive_case
from paper_orders import drive_order, events
from pypdf import PdfReader
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.groups import group_of
from gateway.errors import UserError
from gateway.ledger.store import SqlLedger
from gateway.papers.handover import check_archive
from gateway.ports import DeviceRecord, LedgerWrite

FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "forewarn.toml").write_text('data_dir = "data"\n')
    ledger = SqlLedger(f"sqlite:///{tmp_path}/data/ledger.db")
    order = drive_order(device={"serial": FORMULA})
    record = DeviceRecord(SERVER, {"model": "R740"}, True, 1)
    ledger.commit(LedgerWrite(cases=[drive_case()], events=events(), orders=[order], devices=[record]))
    ledger.close()
    return tmp_path


def run(*words, fails=None):
    result = CliRunner().invoke(app, [*words, "--config", "forewarn.toml"])
    if fails is None:
        assert result.exit_code == 0, result.exception
        return result
    assert isinstance(result.exception, UserError)
    assert fails in str(result.exception)
    return result


@pytest.fixture
def order_id(folder):
    return json.loads(run("orders", "export").stdout)["order_id"]


def test_the_paper_is_written_under_the_order_s_number(folder, order_id):
    assert run("orders", "paper", order_id).stdout.strip() == f"{order_id}.pdf"
    (page,) = PdfReader(folder / f"{order_id}.pdf").pages
    assert order_id in page.extract_text()


def test_html_and_repair_form_go_where_they_are_told(folder, order_id):
    run("orders", "paper", order_id, "--format", "html", "--out", "x.html")
    assert "What was seen" in (folder / "x.html").read_text(encoding="utf-8")
    form = run("orders", "paper", order_id, "--format", "erif", "--out", "-").stdout
    assert "European Repair Information Form" in form


def test_an_order_that_is_none_and_a_folder_that_is_none_are_said(order_id):
    run("orders", "paper", "SO-NONE", fails="there is no order SO-NONE")
    run("orders", "paper", order_id, "--out", "no/x.pdf", fails="no/x.pdf: No such file")


def test_export_gives_one_order_a_line_as_the_contract_has_it(folder):
    (line,) = run("orders", "export").stdout.splitlines()
    ledger = SqlLedger.open_readonly(f"sqlite:///{folder}/data/ledger.db")
    (order,) = ledger.orders().items
    ledger.close()
    assert json.loads(line) == order.document()
    assert run("orders", "export", "--state", "closed").stdout == ""


def test_export_as_a_table_holds_no_formula(folder):
    run("orders", "export", "--csv", "--out", "orders.csv")
    (row,) = csv.DictReader(io.StringIO((folder / "orders.csv").read_text(encoding="utf-8")))
    assert row["device.serial"] == f"'{FORMULA}"
    assert row["device.class"] == "server"
    assert row["service.provider.name"] == "Keller IT Biel"
    assert json.loads(row["parts"])[0]["part"] == "ACME-HDD-4T"


def test_a_hand_over_is_written_checked_and_bound_to_the_printed_key(folder):
    told = run("devices", "handover", "acme/server/srv-1", "--out", "srv-1.zip").stdout
    assert "0 readings, 1 cases, 1 orders, signed; without customer" in told
    (folder / "key.pem").write_text(run("devices", "key").stdout)
    result = CliRunner().invoke(app, ["devices", "verify", "srv-1.zip", "--key", "key.pem"])
    assert "whole, acme/server/srv-1" in result.stdout
    assert check_archive(folder / "srv-1.zip")["format"] == "forewarn.handover/1"
    run("devices", "handover", "acme/server/srv-1", "--out", "srv-1.zip", fails="is there already")


def test_a_device_that_never_spoke_has_nothing_to_hand_over(folder):
    run("devices", "handover", "acme/server/none", "--out", "x.zip", fails="nothing is stored")
    run("devices", "handover", "none", "--out", "x.zip", fails="expected a device as tenant/class/device")
    assert not (folder / "x.zip").exists()


def test_several_files_add_to_one_group_of_commands():
    outer = typer.Typer()
    first = group_of(outer, "devices", "Devices.")
    assert group_of(outer, "devices", "Other words.") is first
    assert first.info.help == "Devices."
    assert group_of(outer, "others", "Others.") is not first
