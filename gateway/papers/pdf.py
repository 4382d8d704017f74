"""Papers as PDF: one A4 page each, drawn in vectors. What has no room is shortened, and says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.papers.canvas import BLUE, INK, QUIET, RED, SEVERITIES, Canvas, Press
from gateway.papers.chart import chart, title_of
from gateway.papers.dossier import Dossier
from gateway.papers.qr import qr_drawing
from gateway.papers.repairform import RepairForm
from gateway.papers.sheet import Fact, Sheet, Table

#: Height of the chart of a signal that is yes or no, mm.
YES_AND_NO = 30.0


@dataclass(frozen=True, slots=True)
class Room:
    """How much a page shows of what can be long.

    Attributes:
        lines: of a fact's value.
        prose: lines of sentences.
        evidence, parts, others: rows of tables and lists.
        chart: height, mm.
    """

    lines: int
    prose: int
    evidence: int
    parts: int
    others: int
    chart: float


#: From roomy to tight; the first with which everything fits the page is taken. The last always fits.
ROOMS = (
    Room(lines=3, prose=4, evidence=8, parts=10, others=6, chart=72),
    Room(lines=3, prose=4, evidence=8, parts=10, others=6, chart=52),
    Room(lines=2, prose=3, evidence=6, parts=8, others=5, chart=46),
    Room(lines=2, prose=2, evidence=5, parts=6, others=3, chart=40),
    Room(lines=1, prose=2, evidence=4, parts=5, others=2, chart=34),
    Room(lines=1, prose=1, evidence=3, parts=4, others=1, chart=28),
)


def order_pdf(sheet: Sheet, dossier: Dossier) -> bytes:
    """Return the page of an order."""
    press = _press(f"{sheet.order_id} {sheet.title}", dossier.printed_at)
    return _fitted(lambda room: _order(Canvas(press), sheet, dossier, room))


def form_pdf(form: RepairForm, printed_at: int) -> bytes:
    """Return the European Repair Information Form of an order."""
    press = _press(f"European Repair Information Form {form.order_id}", printed_at)
    return _fitted(lambda room: _form(Canvas(press), form, room))


def _fitted(draw: Callable[[Room], Canvas]) -> bytes:
    canvas = draw(ROOMS[0])
    for room in ROOMS[1:]:
        if canvas.fits:
            break
        canvas = draw(room)
    assert canvas.fits, "the tightest room holds any order"
    return canvas.output()


def _press(title: str, printed_at: int) -> Press:
    return Press(title, datetime.fromtimestamp(printed_at // 1000, UTC))


def _order(page: Canvas, sheet: Sheet, dossier: Dossier, room: Room) -> Canvas:
    _head(page, sheet)
    if sheet.danger:
        page.banner("Danger: someone or something can come to harm. Tell the owner at once.")
    page.prose(sheet.lead, size=11, bold=True, lines=room.prose)
    page.side_by_side(
        lambda column: _facts(column, "Device", sheet.device, room),
        lambda column: _facts(column, "Where and when", sheet.place, room),
    )
    page.heading("What was seen")
    _table(page, sheet.evidence, (0.52, 0.15, 0.15, 0.18), room.evidence)
    _lines(page, sheet.probes, room.others, "self tests", lines=1)
    if sheet.reasons:
        page.prose(sheet.reasons, size=8, colour=QUIET, lines=room.prose)
    _chart(page, dossier, room)
    page.heading("What to bring")
    _table(page, sheet.parts, (0.06, 0.40, 0.22, 0.18, 0.14), room.parts)
    if sheet.work:
        page.prose(sheet.work, lines=room.lines)
    if sheet.before:
        page.heading("Before anyone travels")
        _lines(page, sheet.before, room.others, "steps", lines=room.lines)
    page.side_by_side(
        lambda column: _facts(column, "Who pays", sheet.pays, room),
        lambda column: _facts(column, "On their way", sheet.sent, room),
    )
    if sheet.missing:
        page.heading("Missing, and why")
        kept = sheet.missing[: room.others]
        page.facts([(fact.name, fact.value) for fact in kept], names=58, lines=min(2, room.lines))
        _left_out(page, len(sheet.missing) - len(kept), "entries")
    page.footer_line(sheet.footer)
    return page


def _head(page: Canvas, sheet: Sheet) -> None:
    qr = qr_drawing(sheet.link)
    if qr is not None:
        page.drawing_at(qr, page.right - 24, page.top - 3, 24)
    width = page.width - (28 if qr else 0)
    page.mark(sheet.severity, SEVERITIES.get(sheet.severity, QUIET))
    page.prose(sheet.title, size=17, bold=True, lines=2, width=width)
    words = f"{sheet.order_id}   opened {sheet.opened}   {sheet.state}"
    page.prose(words, colour=QUIET, lines=1, width=width)
    if sheet.link:
        page.prose(sheet.link, size=8, colour=BLUE, lines=1, width=width, link=sheet.link)
    page.down_to(page.top + (20 if qr else 0))
    page.rule(INK, 0.5)


def _facts(column: Canvas, title: str, facts: Sequence[Fact], room: Room) -> None:
    if facts:
        column.heading(title)
        column.facts([(fact.name, fact.value) for fact in facts], names=22, lines=room.lines)


def _table(page: Canvas, table: Table, shares: Sequence[float], most: int) -> None:
    if not table.rows:
        page.prose(table.empty, lines=2)
        return
    page.table(table.headings, table.rows[:most], shares)
    _left_out(page, len(table.rows) - most, table.noun)


def _lines(page: Canvas, texts: Sequence[str], most: int, noun: str, *, lines: int) -> None:
    for text in texts[:most]:
        page.prose(text, lines=lines)
    _left_out(page, len(texts) - most, noun)


def _left_out(page: Canvas, number: int, noun: str) -> None:
    if number > 0:
        page.prose(
            f"(shortened: {number} more {noun}; the HTML and the console have all)", colour=RED, size=8
        )


def _chart(page: Canvas, dossier: Dossier, room: Room) -> None:
    if dossier.course is None:
        return
    height = min(room.chart, YES_AND_NO) if dossier.course.boolean else room.chart
    drawing = chart(dossier.course, dossier.zone, width=page.width, height=height)
    page.prose(title_of(dossier.course), size=8, bold=True, lines=1)
    if drawing is None:
        page.prose("No reading of it is stored around the onset.", size=8, colour=QUIET)
    else:
        page.drawing(drawing)


def _form(page: Canvas, form: RepairForm, room: Room) -> Canvas:
    page.prose("European Repair Information Form", size=17, bold=True)
    page.prose("Directive (EU) 2024/1799, Annex I", colour=QUIET)
    page.rule(INK, 0.5)
    for section in dict.fromkeys(field.section for field in form.fields):
        page.heading(section)
        for field in form.fields:
            if field.section == section:
                page.form_field(field.name, field.value, field.note, lines=room.prose)
    page.footer_line(form.footer)
    return page
