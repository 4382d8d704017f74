"""Small multiples of a device: one little chart a signal, over one span of time, zoomed together."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from gateway.console.charts import nice_range
from gateway.console.language import t
from gateway.console.panels import Marker, Panel, Span
from gateway.console.words import value_words

Zoom = Callable[[int, int], Awaitable[None]]


class Multiples(Element, component="multiples.js"):
    """The charts. Points of those that are in sight alone are sent.

    Args:
        zoom: is told the span, in ms, that the reader drew over a chart.
        sight: is called when other charts have come into sight.
    """

    def __init__(self, zoom: Zoom, sight: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._seen: frozenset[str] = frozenset()
        self._shown: tuple[object, ...] = ()
        self.props["panels"] = []
        self.props["span"] = {"start": 0, "end": 1}
        self.props["words"] = {"yes": t("yes"), "no": t("no"), "unknown": t("unknown")}

        async def zoomed(event: GenericEventArguments) -> None:
            start, end = (int(one) for one in event.args)
            await zoom(start, end)

        async def seen(event: GenericEventArguments) -> None:
            keys = frozenset(str(key) for key in event.args)
            if keys - self._seen:
                self._seen = keys
                await sight()
            self._seen = keys

        self.on("zoom", zoomed)
        self.on("sight", seen)

    @property
    def seen(self) -> frozenset[str]:
        """The signals whose charts are in sight."""
        return self._seen

    def show(self, panels: Sequence[Panel], markers: Sequence[Marker] = ()) -> None:
        """Show these panels, all over the same span."""
        shown = (panels, markers, self._seen)
        if not panels or shown == self._shown:
            return
        self._shown = shown
        span = panels[0].span
        self.props["span"] = {"start": span.start, "end": span.end}
        self.props["panels"] = [_document(panel, markers, fed=panel.signal in self._seen) for panel in panels]


def _document(panel: Panel, markers: Sequence[Marker], *, fed: bool) -> dict[str, object]:
    low, high, _ = nice_range(panel) if fed and panel.kind == "number" else (0.0, 1.0, 1.0)
    values = (value for line in panel.lines for _, value in line.points if isinstance(value, str))
    return {
        "key": panel.signal,
        "title": panel.title,
        "unit": panel.unit,
        "kind": panel.kind,
        "low": low,
        "high": high,
        "texts": list(dict.fromkeys(values)) if fed else [],
        "markers": [{"at": marker.at, "word": marker.word} for marker in markers] if fed else [],
        "lines": [
            {
                "component": line.component,
                "latest": value_words(line.latest),
                "points": [list(point) for point in line.points] if fed else [],
            }
            for line in panel.lines
        ],
        "spoken": _spoken(panel),
    }


def _spoken(panel: Panel) -> str:
    """Return in words what a chart shows, for those who do not see it."""
    latest = ", ".join(
        f"{line.component} {value_words(line.latest)} {panel.unit}".strip() for line in panel.lines
    )
    return t("{title}: latest {latest}", title=panel.title, latest=latest)


def zoomed_span(start: int, end: int) -> Span:
    """Return the span of a zoom, at least a second long, with as many points as a chart has."""
    return Span.of(start, max(end, start + 1_000))
