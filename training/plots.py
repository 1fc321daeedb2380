"""Lines as inline SVG: a page that mail and the console show without a script, a font or a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 240, 44, 34, 26
COLOURS = ("#1f6feb", "#9aa5b1", "#9a6700")


def plot(title: str, lines: Mapping[str, Points]) -> str:
    """Up to three lines over one pair of axes; "" where there is nothing to draw."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    (left, right), (low, high) = (_span([point[axis] for point in points]) for axis in (0, 1))

    def at(x: float, y: float) -> str:
        across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - 8)
        up = HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - BOTTOM - TOP)
        return f"{across:.1f},{up:.1f}"

    drawn = "".join(
        f'<polyline points="{" ".join(at(*point) for point in line)}" fill="none" stroke="{colour}"/>'
        for line, colour in zip(lines.values(), COLOURS, strict=False)
        if line
    )
    names = "".join(
        f'<tspan fill="{colour}" dx="8">{escape(name.replace("_", " "))}</tspan>'
        for name, colour in zip(lines, COLOURS, strict=False)
    )
    frame = f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 8}" fill="none" stroke="#5b6570"/>'
    ticks = (
        f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{LEFT - 4}" y="{HEIGHT - BOTTOM}" text-anchor="end">{low:.3g}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - BOTTOM + 12}">{left:.3g}</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - BOTTOM + 12}" text-anchor="end">{right:.3g}</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" font-size="10" fill="#5b6570">'
        f'<text x="{LEFT}" y="14" font-size="12">{escape(title)}</text>{frame}{ticks}{drawn}'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{names}</text></svg>'
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(0.0, *values), max(values)
    return low, high if high > low else low + 1.0
