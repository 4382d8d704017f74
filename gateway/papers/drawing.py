"""A drawing in vectors, which PDF and SVG render alike. Lengths are mm, y grows downwards, type is in pt."""

from dataclasses import dataclass
from html import escape
from typing import Literal

PT_IN_MM = 25.4 / 72

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points; one point alone is a dot. `colour` is ``#rrggbb``, `width` mm."""

    points: tuple[Point, ...]
    colour: str
    width: float
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text at its baseline."""

    x: float
    y: float
    text: str
    colour: str
    size: float
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes in the order in which they are laid on each other.

    Attributes:
        title: what it shows, for those who cannot see it.
    """

    width: float
    height: float
    shapes: tuple[Stroke | Box | Label, ...]
    title: str


def to_svg(drawing: Drawing) -> str:
    """Return a drawing as an SVG element: no script, no style sheet, every text escaped."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}" '
        f'role="img" aria-label="{escape(drawing.title)}">',
        f"<title>{escape(drawing.title)}</title>",
        *(_svg(shape) for shape in drawing.shapes),
        "</svg>",
    ]
    return "\n".join(lines)


def _svg(shape: Stroke | Box | Label) -> str:
    if isinstance(shape, Box):
        size = f'width="{_n(shape.width)}" height="{_n(shape.height)}"'
        return f'<rect x="{_n(shape.x)}" y="{_n(shape.y)}" {size} fill="{shape.fill}"/>'
    if isinstance(shape, Label):
        size = _n(shape.size * PT_IN_MM)
        return (
            f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" fill="{shape.colour}" font-size="{size}" '
            f'text-anchor="{shape.anchor}">{escape(shape.text)}</text>'
        )
    if len(shape.points) == 1:
        ((x, y),) = shape.points
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(shape.width)}" fill="{shape.colour}"/>'
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
    dashes = ' stroke-dasharray="1.6 1.2"' if shape.dashed else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{shape.colour}" '
        f'stroke-width="{_n(shape.width)}" stroke-linejoin="round"{dashes}/>'
    )


def _n(number: float) -> str:
    """Return a number with hundredths of a mm: finer than any printer."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
