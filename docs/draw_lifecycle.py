"""Draws the life of a rule from its table: ``python docs/draw_lifecycle.py`` writes it into docs/rules.md."""

import re
from pathlib import Path

from rules.lifecycle import TABLE, Event, State

PAGE = Path(__file__).parent / "rules.md"
_DRAWING = re.compile(r"(?<=```mermaid\n)stateDiagram.*?(?=```)", re.DOTALL)
_WORDS = {
    Event.FALSE: "{condition} false",
    Event.TRUE: "{condition} true",
    Event.UNKNOWN: "{condition} unknown",
    Event.DUE: "{condition} true for {hold}",
}


def lifecycle() -> str:
    """Return the table as a Mermaid state diagram; events that change nothing are left out."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.QUIET.name}"]
    for state in State:
        suspected = state >= State.SUSPECTED
        names = {
            "condition": "clear_when" if suspected else "when",
            "hold": "clear_hold" if suspected else "hold",
        }
        for event in Event:
            following = State(TABLE[state, event])
            if following != state:
                lines.append(f"    {state.name} --> {following.name}: {_WORDS[event].format(**names)}")
    return "\n".join(lines) + "\n"


def page_with_drawing(text: str) -> str:
    """Return the page's text with the diagram as the table has it now."""
    return _DRAWING.sub(lambda _: lifecycle(), text)


if __name__ == "__main__":
    PAGE.write_text(page_with_drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
