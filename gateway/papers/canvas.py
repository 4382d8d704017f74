"""One A4 page that is written from top to bottom, with the fonts that go with it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files

from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont

from gateway.papers.drawing import PT_IN_MM, Box, Drawing, Label, Point, Stroke
from gateway.papers.texts import SHORTENED

INK, QUIET, FAINT = "#1f2937", "#6b7280", "#d1d5db"
RED, BLUE = "#b91c1c", "#1d4ed8"
SEVERITIES = {"critical": RED, "major": "#b45309", "minor": "#0e7490"}

PAGE_WIDTH, PAGE_HEIGHT = 210.0, 297.0
MARGIN, FOOT = 14.0, 16.0
GUTTER = 8.0
SIZE = 9.0
LEADING = 1.28

#: Latin, Greek and Cyrillic; Chinese. Both are packages of the index, under Apache-2.0 and OFL-1.1.
ROMAN, CHINESE = "roman", "chinese"
_ROBOTO = "font_roboto", "files"
_NOTO = "pylopdf_fonts_zh_cn"

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells each table that it drops


def _font_path(name: str) -> str:
    return str(files(_ROBOTO[0]).joinpath(_ROBOTO[1], name))


def _chinese_path() -> str:
    return str(files(_NOTO).joinpath("NotoSansSC-Regular.otf"))


class Press:
    """The document with its fonts: reading a font takes longer than all that is done with it."""

    def __init__(self, title: str, made_at: datetime) -> None:
        pdf = FPDF(format="A4", unit="mm")
        pdf.set_auto_page_break(auto=False)
        pdf.set_margins(0, 0, 0)
        pdf.c_margin = 0
        pdf.add_font(ROMAN, "", _font_path("Roboto-Regular.ttf"))
        pdf.add_font(ROMAN, "B", _font_path("Roboto-Bold.ttf"))
        pdf.set_title(title)
        pdf.set_creator("forewarn")
        pdf.set_creation_date(made_at)
        pdf.set_lang("en")
        pdf.add_page()
        self.pdf = pdf
        self._characters = self._of_font(ROMAN)
        self._chinese = False

    def style(self, size: float, bold: bool, colour: str) -> None:
        """Take a size in pt, a weight and a colour from here on."""
        self.pdf.set_font(ROMAN, "B" if bold else "", size)
        self.pdf.set_text_color(colour)

    def known(self, text: str) -> str:
        """Return a text with ``?`` for what the fonts do not have; Chinese is fetched when it is needed."""
        if self._has_all(text):
            return text
        if not self._chinese:
            self.pdf.add_font(CHINESE, "", _chinese_path())
            self.pdf.set_fallback_fonts([CHINESE], exact_match=False)
            self._characters |= self._of_font(CHINESE)
            self._chinese = True
        return "".join(one if ord(one) in self._characters else "?" for one in text)

    def _has_all(self, text: str) -> bool:
        return all(ord(one) in self._characters for one in text)

    def _of_font(self, name: str) -> frozenset[int]:
        """Return the characters that a font has."""
        font = self.pdf.fonts[name]
        assert isinstance(font, TTFFont)
        return frozenset(font.cmap)


class Canvas:
    """A page with a writing position; a column of it is one, too. Nothing is printed before `output`.

    Attributes:
        top: where writing began, mm from the top of the page.
    """

    def __init__(self, press: Press) -> None:
        self._press = press
        self._strokes: list[Callable[[FPDF], None]] = []
        self._unshown = 0
        self._take(MARGIN, MARGIN, PAGE_WIDTH - 2 * MARGIN)

    def _take(self, left: float, top: float, width: float) -> None:
        self.left, self.top, self.width, self.y = left, top, width, top

    @property
    def right(self) -> float:
        """The right edge, mm from the left of the page."""
        return self.left + self.width

    @property
    def fits(self) -> bool:
        """Whether nothing was written below the page's foot."""
        return self.y <= PAGE_HEIGHT - FOOT

    def output(self) -> bytes:
        """Print the page, once, and return the document."""
        for stroke in self._strokes:
            stroke(self._press.pdf)
        return bytes(self._press.pdf.output())

    def down_to(self, y: float) -> None:
        """Go on no higher than at `y`."""
        self.y = max(self.y, y)

    def prose(
        self,
        text: str,
        *,
        size: float = SIZE,
        bold: bool = False,
        colour: str = INK,
        lines: int = 3,
        width: float | None = None,
        link: str = "",
    ) -> None:
        """Write a text over so many lines at most; a longer one ends with the word that says so."""
        for line in self._broken(text, size=size, bold=bold, width=width or self.width, lines=lines):
            self._line(line, self.left, size=size, bold=bold, colour=colour, link=link)
            self.y += size * PT_IN_MM * LEADING
        self.y += 0.6

    def heading(self, text: str) -> None:
        """Write the title of a section."""
        self.y += 2.0
        self.prose(text.upper(), size=7.5, bold=True, colour=QUIET, lines=1)
        self.y -= 0.4
        self.rule(FAINT, 0.25)

    def rule(self, colour: str, width: float) -> None:
        """Draw a line over the whole width."""
        self._stroke(Stroke(((self.left, self.y), (self.right, self.y)), colour, width), 0, 0)
        self.y += 1.2

    def mark(self, text: str, colour: str) -> None:
        """Write a word on a coloured ground."""
        width = self._width(text.upper(), 7.5, True) + 4
        self._box(Box(self.left, self.y, width, 4.4, colour), 0, 0)
        self._text(text.upper(), (self.left + 2, self.y + 3.2), size=7.5, bold=True, colour="#ffffff")
        self.y += 5.6

    def banner(self, text: str) -> None:
        """Write a warning over the whole width."""
        self._box(Box(self.left, self.y, self.width, 6.5, RED), 0, 0)
        self._text(text, (self.left + 2, self.y + 4.5), size=10, bold=True, colour="#ffffff")
        self.y += 8

    def facts(self, facts: Sequence[tuple[str, str]], *, names: float, lines: int) -> None:
        """Write names and values beside each other; `names` is the names' width, mm."""
        for name, value in facts:
            top, bottom = self.y, self.y
            for text, left, width, colour in (
                (name, self.left, names - 2, QUIET),
                (value, self.left + names, self.width - names, INK),
            ):
                self.y = top
                for line in self._broken(text, size=SIZE, bold=False, width=width, lines=lines):
                    self._line(line, left, colour=colour)
                    self.y += SIZE * PT_IN_MM * LEADING
                bottom = max(bottom, self.y)
            self.y = bottom

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]) -> None:
        """Write rows of a line each under headings; `shares` are the columns' parts of the width."""
        for row, colour in ((headings, QUIET), *((row, INK) for row in rows)):
            left = self.left
            for text, share in zip(row, shares, strict=True):
                width = share * self.width
                for line in self._broken(text, size=SIZE, bold=False, width=width - 2, lines=1):
                    self._line(line, left, colour=colour)
                left += width
            self.y += SIZE * PT_IN_MM * LEADING
        self.y += 0.6

    def form_field(self, name: str, value: str | None, note: str, *, lines: int) -> None:
        """Write a field of a form: its value, or a line to write on, and a note."""
        names, top = 62.0, self.y + 1
        self.y = top
        for line in self._broken(name, size=SIZE, bold=False, width=names - 4, lines=3):
            self._line(line, self.left)
            self.y += SIZE * PT_IN_MM * LEADING
        bottom, self.y = self.y, top
        left, width = self.left + names, self.width - names
        if value is None:
            self.y += 5
            self._stroke(Stroke(((left, self.y), (self.right, self.y)), QUIET, 0.2), 0, 0)
            self.y += 0.8
        for text, size, colour in ((value or "", SIZE, INK), (note, 7.5, QUIET)):
            for line in self._broken(text, size=size, bold=False, width=width, lines=lines):
                self._line(line, left, size=size, colour=colour)
                self.y += size * PT_IN_MM * LEADING
        self.y = max(self.y, bottom) + 1.2

    def side_by_side(self, *columns: Callable[["Canvas"], None]) -> None:
        """Write columns of the same width beside each other."""
        left, top, width, begun = self.left, self.top, self.width, self.y
        each = (width - GUTTER * (len(columns) - 1)) / len(columns)
        lowest = begun
        for number, write in enumerate(columns):
            self._take(left + number * (each + GUTTER), begun, each)
            write(self)
            lowest = max(lowest, self.y)
        self.left, self.top, self.width, self.y = left, top, width, lowest

    def drawing(self, drawing: Drawing) -> None:
        """Draw at the writing position, in its own size."""
        self.drawing_at(drawing, self.left, self.y, drawing.width)
        self.y += drawing.height + 1

    def drawing_at(self, drawing: Drawing, x: float, y: float, width: float) -> None:
        """Draw anywhere, `width` mm wide."""
        scale = width / drawing.width
        for shape in drawing.shapes:
            if isinstance(shape, Box):
                self._box(shape, x, y, scale)
            elif isinstance(shape, Stroke):
                self._stroke(shape, x, y, scale)
            else:
                self._label(shape, x, y, scale)

    def footer_line(self, text: str) -> None:
        """Write the page's last lines, below everything."""
        written, self.y = self.y, PAGE_HEIGHT - FOOT + 3
        self.prose(text, size=7.5, colour=QUIET, lines=1)
        if self._unshown:
            note = f"{self._unshown} characters that the fonts of this page do not have are shown as ?."
            self.prose(f"{note} The HTML has them.", size=7.5, colour=QUIET, lines=1)
        self.y = written

    def _width(self, text: str, size: float, bold: bool) -> float:
        self._press.style(size, bold, INK)
        return float(self._press.pdf.get_string_width(text))

    def _broken(self, text: str, *, size: float, bold: bool, width: float, lines: int) -> list[str]:
        """Return a text as lines that fit a width, so many at most."""
        if not text:
            return []
        asked = text[: 400 * lines]  # no line has room for more
        text = self._press.known(asked)
        self._unshown += sum(one != two for one, two in zip(asked, text, strict=True))
        self._press.style(size, bold, INK)
        found = self._lines_of(text, width)
        if len(found) <= lines:
            return found
        last = found[lines - 1]
        while last and self._press.pdf.get_string_width(last + SHORTENED) > width:
            last = last[:-1]
        return [*found[: lines - 1], last.rstrip() + SHORTENED]

    def _lines_of(self, text: str, width: float) -> list[str]:
        answer = self._press.pdf.multi_cell(
            width,
            text=text,
            align=Align.L,
            dry_run=True,
            output=MethodReturnValue.LINES,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        assert isinstance(answer, list)
        return [str(line) for line in answer]

    def _line(
        self,
        text: str,
        left: float,
        *,
        size: float = SIZE,
        bold: bool = False,
        colour: str = INK,
        link: str = "",
    ) -> None:
        top = self.y

        def stroke(pdf: FPDF) -> None:
            self._press.style(size, bold, colour)
            pdf.set_xy(left, top)
            pdf.cell(pdf.get_string_width(text), size * PT_IN_MM * LEADING, text, link=link)

        self._strokes.append(stroke)

    def _text(self, text: str, place: Point, *, size: float, bold: bool, colour: str) -> None:
        """Write at a baseline."""

        def stroke(pdf: FPDF) -> None:
            self._press.style(size, bold, colour)
            pdf.text(*place, text)

        self._strokes.append(stroke)

    def _box(self, box: Box, x: float, y: float, scale: float = 1.0) -> None:
        place = x + box.x * scale, y + box.y * scale, box.width * scale, box.height * scale

        def stroke(pdf: FPDF) -> None:
            pdf.set_fill_color(box.fill)
            pdf.rect(*place, style="F")

        self._strokes.append(stroke)

    def _stroke(self, line: Stroke, x: float, y: float, scale: float = 1.0) -> None:
        points = [(x + px * scale, y + py * scale) for px, py in line.points]

        def stroke(pdf: FPDF) -> None:
            if len(points) == 1:
                pdf.set_fill_color(line.colour)
                pdf.circle(*points[0], line.width * scale, style="F")
                return
            pdf.set_draw_color(line.colour)
            pdf.set_line_width(line.width * scale)
            if line.dashed:
                pdf.set_dash_pattern(dash=1.6, gap=1.2)
            pdf.polyline(points)
            pdf.set_dash_pattern()

        self._strokes.append(stroke)

    def _label(self, label: Label, x: float, y: float, scale: float) -> None:
        text, size = self._press.known(label.text), label.size * scale
        width = self._width(text, size, False)
        shift = {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
        place = x + label.x * scale - shift, y + label.y * scale
        self._text(text, place, size=size, bold=False, colour=label.colour)
