"""What a CSV keeps a spreadsheet from, and how a table that forewarn wrote is read again."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.csv_cells import FORMULA, cell, has_guarded, plain
from gateway.csv_tables import Columns, Table

TEXTS = st.text(st.sampled_from("'=+-@\t\r\n a1\0"), max_size=6)


@given(TEXTS)
@example("'=1")
@example("''+49")
def test_no_cell_is_a_formula_and_each_says_what_it_said(text):
    assert not str(cell(text)).startswith(FORMULA)
    assert plain(cell(text)) == text
    assert plain(text) == text or text.startswith("'")


def test_a_table_that_was_written_is_read_again(tmp_path):
    path = tmp_path / "owners.csv"
    contact = cell("+49 30 123")
    path.write_text(f"owner,contact\no1,{contact}\no2,O'Brien\n", encoding="utf-8")
    assert has_guarded(path.read_text(encoding="utf-8"))
    problems = []
    rows = list(Table(path, Columns(("owner",), ("contact",)), problems).rows())
    assert [row.text("contact") for row in rows] == ["+49 30 123", "O'Brien"]
    assert problems == []
