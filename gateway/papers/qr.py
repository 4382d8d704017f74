"""The address of the order in the console, for a telephone's camera."""

import segno

from gateway.papers.drawing import Box, Drawing

#: Quiet zone around the symbol in modules; ISO/IEC 18004 asks for four.
QUIET_ZONE = 4


def qr_drawing(link: str | None) -> Drawing | None:
    """Return a QR code of a link, one module a unit; None without one, or when it is too long."""
    if link is None or len(link) > 300 or not link.startswith(("http://", "https://")):
        return None
    rows = [list(row) for row in segno.make(link, error="m", micro=False).matrix]
    side = len(rows) + 2 * QUIET_ZONE
    boxes = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            run = 1
            if row[x]:
                while x + run < len(row) and row[x + run]:
                    run += 1
                boxes.append(Box(x + QUIET_ZONE, y + QUIET_ZONE, run, 1, "#000000"))
            x += run
    return Drawing(side, side, (Box(0, 0, side, side, "#ffffff"), *boxes), "The order in the console")
