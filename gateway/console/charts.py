"""Panels on the screen: ECharts that are fed new points in place, with their latest values as text above."""

import json
import math
from collections.abc import Sequence

from nicegui.element import Element
from nicegui.elements.echart import EChart
from nicegui.elements.mixins.text_element import TextElement

from diagnostics.decision import Scalar
from gateway.console.language import t
from gateway.console.panels import Line, Marker, Panel, Span
from gateway.console.parts import box, text
from gateway.console.words import case_state_words, duration_words, value_words, with_unit

#: Colours of the stylesheet, by name: told apart also by those who do not see all colours, in both themes.
LINE_COLOURS = ("line-1", "line-2", "line-3", "line-4", "line-5", "line-6")
MARKER_COLOURS = {"suspected": "major", "reopened": "major", "confirmed": "critical"}
QUIET, GRID, LIMIT, OVER = "quiet", "grid", "critical", "line-3"

#: Moments are told apart by their lines as well, as the chart library calls these.
MARKER_LINES = {"suspected": "dashed", "reopened": "dashed", "confirmed": "solid"}

#: Where the word of a vertical line stands, as the chart library calls it: left and right of the line.
BEFORE, BEHIND = "insideEndTop", "insideEndBottom"
#: What a word that runs along its line takes of a chart's width on a phone: 14 of 260 pixels, and some air.
LABEL_ROOM = 0.06


class Chart(EChart, component="chart.js"):
    """A chart whose colours follow the theme; its options name them by keys with ``~`` in front."""


class Charts:
    """The charts of one page by signal. They are kept while the signal is there and fed what is new."""

    def __init__(self, container: Element, *, empty: str) -> None:
        self._container = container
        self._empty = empty
        self._charts: dict[tuple[str, tuple[str, ...]], _Chart] = {}
        self._note: Element | None = None

    def show(self, panels: Sequence[Panel]) -> None:
        """Show these panels: new signals get a chart, known ones new points, lost ones go."""
        wanted = {_key(panel): panel for panel in panels}
        for key in [key for key in self._charts if key not in wanted]:
            self._charts.pop(key).outer.delete()
        for position, (key, panel) in enumerate(wanted.items()):
            if key in self._charts:
                self._charts[key].feed(panel)
            else:
                with self._container:
                    self._charts[key] = _Chart(panel)
                self._charts[key].outer.move(target_index=position)
        self._tell_empty(not panels)

    def _tell_empty(self, empty: bool) -> None:
        if empty and self._note is None:
            with self._container:
                self._note = text("p", self._empty, "empty")
        elif not empty and self._note is not None:
            self._note.delete()
            self._note = None


def _key(panel: Panel) -> tuple[str, tuple[str, ...]]:
    return panel.signal, tuple(line.component for line in panel.lines)


class _Chart:
    """One chart with its heading."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._latest: list[TextElement] = []
        self.outer = box("figure", f"chart {panel.kind}")
        with self.outer:
            self._caption(panel)
            self._chart = Chart(options(panel)).classes("canvas")
            self._chart.props["aria-label"] = _in_words(panel)
            self._chart.props["role"] = "img"

    def _caption(self, panel: Panel) -> None:
        several = len(panel.lines) > 1
        with box("figcaption", "several" if several else ""):
            text("span", f"{panel.title}, {panel.unit}" if several and panel.unit else panel.title, "title")
            for number, line in enumerate(panel.lines):
                with box("span", "latest"):
                    if several:
                        box("i").style(f"background: var(--{_colour(number)})")
                    if line.component:
                        text("span", line.component, "component")
                    self._latest.append(text("b", value_words(line.latest)))
                    if panel.unit and not several:
                        text("span", panel.unit, "unit")

    def feed(self, panel: Panel) -> None:
        """Show new readings of the same lines."""
        if panel == self._panel:
            return
        self._panel = panel
        for element, line in zip(self._latest, panel.lines, strict=True):
            words = value_words(line.latest)
            if element.text != words:
                element.set_text(words)
        self._chart.props["options"] = options(panel)


def options(panel: Panel) -> dict[str, object]:
    """Return the ECharts options of a panel. Texts of devices are values only, drawn on the canvas."""
    return {
        "animation": False,
        "useUTC": True,
        "~color": LINE_COLOURS,
        "grid": {"left": 58, "right": 14 if panel.over is None else 52, "top": 10, "bottom": 22},
        "tooltip": {
            "trigger": "axis",
            "renderMode": "richText",  # drawn, not HTML: what devices send stays text
            "confine": True,
            "textStyle": {"fontSize": 11},
            ":valueFormatter": _value_formatter(panel),
        },
        "xAxis": {
            "type": "time",
            "min": panel.span.start,
            "max": panel.span.end,
            "splitNumber": 4,
            "axisLine": {"lineStyle": {"~color": GRID}},
            "axisTick": {"show": False},
            "axisLabel": {"~color": QUIET, "fontSize": 10, "hideOverlap": True},
        },
        "yAxis": _axes(panel),
        "series": [
            *(_series(panel, number, line) for number, line in enumerate(panel.lines)),
            *(() if panel.over is None else (_over(panel.over, line) for line in panel.over.lines)),
        ],
    }


def _in_words(panel: Panel) -> str:
    """Return what a chart says, for those who do not see it."""
    said = [t("{title} over time", title=panel.title)]
    said += [
        f"{line.component} {t('latest: {value}', value=with_unit(line.latest, panel.unit))}".strip()
        for line in panel.lines
    ]
    if panel.limit is not None:
        said.append(_limit_words(panel))
    return "; ".join(said)


def _limit_words(panel: Panel) -> str:
    return t("limit {value}", value=with_unit(panel.limit, panel.unit))


def _axes(panel: Panel) -> dict[str, object] | list[dict[str, object]]:
    if panel.over is None:
        return _value_axis(panel)
    beside = _value_axis(panel.over) | {"position": "right", "splitLine": {"show": False}}
    return [_value_axis(panel), beside]


def _over(over: Panel, line: Line) -> dict[str, object]:
    """Return the line of another signal that is laid over a panel, by the axis at its right."""
    return {
        "type": "line",
        "name": f"{over.title} {line.component}".strip(),
        "yAxisIndex": 1,
        "data": [[ts, _drawn(value)] for ts, value in line.points],
        "lineStyle": {"width": 1.4, "type": "dotted", "~color": OVER},
        "itemStyle": {"~color": OVER},
        "showSymbol": len(line.points) < 3,
        "symbolSize": 5,
        "step": False if over.kind == "number" else "end",
    }


def _series(panel: Panel, number: int, line: Line) -> dict[str, object]:
    series: dict[str, object] = {
        "type": "line",
        "name": line.component or panel.title,
        "data": [[ts, _drawn(value)] for ts, value in line.points],
        "lineStyle": {"width": 1.8},
        "showSymbol": len(line.points) < 3,
        "symbolSize": 5,
        "step": False if panel.kind == "number" else "end",
    }
    if panel.kind == "boolean":
        series["areaStyle"] = {"opacity": 0.18}
    if number == 0:
        series["markLine"] = {
            "silent": True,
            "symbol": "none",
            "animation": False,
            "data": [*_marker_lines(panel), *_limit_lines(panel)],
        }
        if panel.holds:
            series["markArea"] = _hold_areas(panel)
    return series


def _hold_areas(panel: Panel) -> dict[str, object]:
    """Return the times for which the condition had to hold before there was a suspicion."""
    hold, span = panel.holds[0], panel.span
    # Left of the area where there is room: within it stands the word of the suspicion.
    room = hold.start - span.start > 2 * LABEL_ROOM * (span.end - span.start)
    place: dict[str, object] = (
        {"position": [-4, 3], "align": "right"} if room else {"position": "insideTopLeft"}
    )
    label = place | {
        "show": True,
        "formatter": t("hold {time}", time=duration_words(hold.end - hold.start)),
        "~color": QUIET,
        "fontSize": 10,
    }
    return {
        "silent": True,
        "itemStyle": {"~color": "hold"},
        "data": [
            [{"xAxis": hold.start, "label": label if number == 0 else {"show": False}}, {"xAxis": hold.end}]
            for number, hold in enumerate(panel.holds)
        ],
    }


def _drawn(value: Scalar) -> Scalar:
    return int(value) if isinstance(value, bool) else value


def _marker_lines(panel: Panel) -> list[dict[str, object]]:
    return [
        {
            "xAxis": marker.at,
            "lineStyle": {
                "~color": MARKER_COLOURS.get(marker.word, QUIET),
                "type": MARKER_LINES.get(marker.word, "dotted"),
                "width": 1.2,
            },
            "label": {
                "show": side is not None,
                "formatter": case_state_words(marker.word),
                "position": side or BEFORE,
                "~color": MARKER_COLOURS.get(marker.word, QUIET),
                "fontSize": 10,
            },
        }
        for marker, side in zip(panel.markers, label_sides(panel.markers, panel.span), strict=True)
    ]


def label_sides(markers: Sequence[Marker], span: Span) -> list[str | None]:
    """Return on which side of its line each marker's word stands, so that none lies on another.

    Before its line where there is room, else behind it, else nowhere: the timeline has it too. `markers`
    are in order of time.
    """
    room = (span.end - span.start) * LABEL_ROOM
    sides: list[str | None] = []
    taken = float("-inf")  # up to where words stand
    for marker in markers:
        if marker.at - room >= taken:
            sides.append(BEFORE)
            taken = marker.at
        elif marker.at >= taken:
            sides.append(BEHIND)
            taken = marker.at + room
        else:
            sides.append(None)
    return sides


def _limit_lines(panel: Panel) -> list[dict[str, object]]:
    if panel.limit is None or panel.kind != "number":
        return []
    return [
        {
            "yAxis": panel.limit,
            "lineStyle": {"~color": LIMIT, "type": [2, 3], "width": 1.2},
            "label": {
                "formatter": _limit_words(panel),
                "position": "insideEndTop",
                "~color": LIMIT,
                "fontSize": 10,
            },
        }
    ]


def _value_axis(panel: Panel) -> dict[str, object]:
    axis: dict[str, object] = {
        "axisLabel": {"~color": QUIET, "fontSize": 10},
        "splitLine": {"lineStyle": {"~color": GRID}},
    }
    if panel.kind == "text":
        texts = dict.fromkeys(
            value for line in panel.lines for _, value in line.points if isinstance(value, str)
        )
        label = {"~color": QUIET, "fontSize": 10, "width": 48, "overflow": "truncate"}
        return axis | {"type": "category", "data": list(texts), "axisLabel": label}
    if panel.kind == "boolean":
        return axis | {
            "type": "value",
            "min": 0,
            "max": 1,
            "interval": 1,
            "axisLabel": {"~color": QUIET, "fontSize": 10, ":formatter": _yes_or_no()},
        }
    low, high, interval = nice_range(panel)
    return axis | {"type": "value", "min": low, "max": high, "interval": interval}


def nice_range(panel: Panel) -> tuple[float, float, float]:
    """Return lower end, upper end and distance of round grid lines that hold all values and the limit."""
    numbers = [
        float(value)
        for line in panel.lines
        for _, value in line.points
        if isinstance(value, (int, float)) and math.isfinite(value)
    ]
    if panel.limit is not None:
        numbers.append(panel.limit)
    if not numbers:
        return 0.0, 1.0, 1.0
    low, high = min(numbers), max(numbers)
    if low == high:
        low, high = low - max(1.0, abs(low) * 0.05), high + max(1.0, abs(high) * 0.05)
        low = max(low, 0.0) if min(numbers) >= 0 else low
    rough = (high - low) / 3
    magnitude = 10 ** math.floor(math.log10(rough))
    interval = next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= rough)
    if interval < 1 and all(number == int(number) for number in numbers):
        interval = 1.0
    digits = max(0, 2 - math.floor(math.log10(interval)))
    return (
        round(math.floor(low / interval) * interval, digits),
        round(math.ceil(high / interval) * interval, digits),
        interval,
    )


def _yes_or_no() -> str:
    return f"(value) => value ? {json.dumps(t('yes'))} : {json.dumps(t('no'))}"


def _value_formatter(panel: Panel) -> str:
    unknown = json.dumps(t("unknown"))
    known = f"({_yes_or_no()})(value)"
    if panel.kind != "boolean":
        known = f"value + {json.dumps(f' {panel.unit}' if panel.unit else '')}"
    return f"(value) => value === null || value === undefined ? {unknown} : {known}"


def _colour(number: int) -> str:
    return LINE_COLOURS[number % len(LINE_COLOURS)]
