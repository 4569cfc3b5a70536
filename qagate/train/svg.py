"""SVG: small plots without any plotting library. Points in data units; the y axis points up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 34, 44
COLOURS = ("#1f5fa8", "#c2591b", "#3a8a4d", "#8a4d9e", "#7a7a7a")
STYLE = "font-family:sans-serif;font-size:12px;fill:#222"


def curves(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    diagonal: bool = False,
) -> str:
    """Return a plot of lines with dots. series: name → (x, y). diagonal: a thin line from corner to corner."""
    parts = _frame(title, x_label, y_label, x_range, y_range)
    if diagonal:
        (x1, y1), (x2, y2) = (_at(x, y, x_range, y_range) for x, y in zip(x_range, y_range, strict=True))
        parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#aaa" stroke-dasharray="4 4"/>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [_at(x, y, x_range, y_range) for x, y in points]
        path = "L".join(f"{x} {y}" for x, y in placed)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in placed]
        parts.append(_text(WIDTH - RIGHT + 12, TOP + 14 + 18 * number, name, colour=colour))
    return _whole(parts, HEIGHT)


def intervals(
    title: str,
    x_label: str,
    rows: Sequence[tuple[str, Sequence[tuple[float, float | None, float | None]]]],
    names: Sequence[str],
    x_range: tuple[float, float],
    marks: Mapping[str, float],
) -> str:
    """Return rows of values with whiskers, one line for each name. marks: named vertical lines, as a limit to pass."""
    left, line = 250, 13
    tall = [line * len(values) + 8 for _, values in rows]
    height = TOP + sum(tall) + 44
    low, high = x_range

    def at(value: float) -> float:
        return round(left + (min(max(value, low), high) - low) / (high - low) * (WIDTH - left - 20), 1)

    parts = [_text(10, 20, title, bold=True)]
    for tick in range(6):
        value = low + (high - low) * tick / 5
        parts.append(f'<path d="M{at(value)} {TOP}V{TOP + sum(tall)}" stroke="#eee"/>')
        parts.append(_text(at(value), TOP + sum(tall) + 16, f"{value:.1f}", middle=True))
    for name, value in marks.items():
        parts.append(f'<path d="M{at(value)} {TOP}V{TOP + sum(tall)}" stroke="#b00" stroke-dasharray="4 3"/>')
        parts.append(_text(at(value), TOP - 4, name, colour="#b00", middle=True))
    top = TOP
    for (label, values), tallness in zip(rows, tall, strict=True):
        parts.append(_text(10, top + tallness / 2 + 4, label))
        for number, (value, lowest, highest) in enumerate(values):
            y, colour = top + 8 + line * number, COLOURS[number % len(COLOURS)]
            if lowest is not None and highest is not None:
                parts.append(f'<path d="M{at(lowest)} {y}H{at(highest)}" stroke="{colour}" stroke-width="2"/>')
            parts.append(f'<circle cx="{at(value)}" cy="{y}" r="4" fill="{colour}"/>')
        top += tallness
    for number, name in enumerate(names):
        parts.append(_text(10 + 130 * number, height - 8, f"● {name}", colour=COLOURS[number % len(COLOURS)]))
    parts.append(_text(WIDTH - 20, height - 8, x_label, end=True))
    return _whole(parts, height)


def _frame(
    title: str, x_label: str, y_label: str, x_range: tuple[float, float], y_range: tuple[float, float]
) -> list[str]:
    parts = [_text(LEFT, 20, title, bold=True)]
    for tick in range(6):
        share = tick / 5
        x, y = (low + (high - low) * share for low, high in (x_range, y_range))
        across, up = _at(x, y, x_range, y_range)
        parts.append(f'<path d="M{LEFT} {up}H{WIDTH - RIGHT}" stroke="#eee"/>')
        parts.append(_text(LEFT - 6, up + 4, f"{y:g}" if y >= 10 else f"{y:.2g}", end=True))
        parts.append(_text(across, HEIGHT - BOTTOM + 16, f"{x:.3g}", middle=True))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, middle=True))
    parts.append(_text(WIDTH - RIGHT + 12, HEIGHT - BOTTOM, y_label))
    return parts


def _at(x: float, y: float, x_range: tuple[float, float], y_range: tuple[float, float]) -> tuple[float, float]:
    across = (x - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - LEFT - RIGHT)
    up = (y - y_range[0]) / (y_range[1] - y_range[0]) * (HEIGHT - TOP - BOTTOM)
    return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)


def _text(
    x: float, y: float, text: str, *, colour: str = "#222", bold: bool = False, middle: bool = False, end: bool = False
) -> str:
    anchor = "middle" if middle else "end" if end else "start"
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _whole(parts: Sequence[str], height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH} {height:g}" style="{STYLE}"><rect width="100%" height="100%" fill="#fff"/>'
        + "\n".join(parts)
        + "</svg>\n"
    )
