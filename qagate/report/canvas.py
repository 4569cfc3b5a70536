"""Canvas: text, shapes and bars on a black ground, with Pillow alone.

Coordinates are pixels from the upper left corner. Text never leaves the width it is given.
"""

from __future__ import annotations

import math
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from qagate.domain.verdict import Outcome

Colour = tuple[int, int, int]

GROUND: Colour = (0, 0, 0)
LINE: Colour = (48, 54, 61)
TEXT: Colour = (230, 237, 243)
QUIET: Colour = (157, 167, 179)
OUTCOME_COLOURS: dict[Outcome, Colour] = {
    Outcome.ACCEPT: (76, 195, 138),
    Outcome.REVIEW: (245, 165, 36),
    Outcome.REJECT: (240, 96, 77),
    Outcome.UNSCORED: (163, 168, 195),
}

SPELLED = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "–": "-",
    "—": "-",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "×": "x",
    "µ": "u",
    "μ": "u",
    "→": "->",
    "ı": "i",
    "„": '"',
}
"""What has no decomposition in Unicode and is met in descriptions."""

SMALLEST = 18  # px; survives the scaling of a viewer
OVERSAMPLING = 4

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def face(size: int) -> Face:
    """Return the built-in typeface of Pillow at a size in pixels, never below SMALLEST."""
    return ImageFont.load_default(max(size, SMALLEST))


@cache
def _drawable(character: str) -> bool:
    """Return whether the typeface has this character: its picture differs from that of a missing one."""
    if character == " ":
        return True
    font = face(SMALLEST)
    missing, own = (bytes(font.getmask(c)) for c in ("\uffff", character))
    return own != missing


def legible(text: str) -> str:
    """Return text in the characters of the typeface, which are those of ASCII and little more.

    Accents are dropped (é → e), some signs are spelled (≤ → <=); a run of others becomes one question mark.
    """
    out: list[str] = []
    for character in text:
        plain = _plain(character)
        if plain is not None:
            out.append(plain)
        elif not out or out[-1] != "?":
            out.append("?")
    return "".join(out)


def drawable(text: str) -> str:
    """Return what of the text the typeface can show, the rest left out: for words that only help."""
    return " ".join("".join(_plain(c) or "" for c in text).split())


@cache
def _plain(character: str) -> str | None:
    """Return the character as the typeface can show it, None when it cannot."""
    if _drawable(character):
        return character
    decomposed = unicodedata.normalize("NFKD", SPELLED.get(character, character))
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return kept if kept and all(_drawable(c) for c in kept) else None


def _unit(share: float) -> float:
    return min(max(share, 0.0), 1.0)


class Canvas:
    """A picture being drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), GROUND)
        self._draw = ImageDraw.Draw(self.image)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the picture, uint8 (rows, columns, 3)."""
        return np.asarray(self.image, dtype=np.uint8)

    def width_of(self, text: str, size: int) -> int:
        """Return how wide a line of text is."""
        return math.ceil(self._draw.textlength(legible(text), font=face(size)))

    def fit(self, text: str, size: int, width: int) -> str:
        """Return as much of the text as has room in one line, with an ellipsis where it was cut."""
        text = legible(text)
        if self.width_of(text, size) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width_of(text[:middle].rstrip() + "...", size) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "..."

    def wrap(self, text: str, size: int, width: int, lines: int) -> list[str]:
        """Return the text in at most so many lines, the last one cut where it does not fit."""
        words, out = legible(text).split(), [""]
        for index, word in enumerate(words):
            longer = f"{out[-1]} {word}".strip()
            if self.width_of(longer, size) <= width or not out[-1]:
                out[-1] = longer
            elif len(out) < lines:
                out.append(word)
            else:
                out[-1] = f"{out[-1]} {' '.join(words[index:])}"
                break
        return [self.fit(line, size, width) for line in out if line]

    def text(
        self, x: int, y: int, text: str, size: int, colour: Colour = TEXT, width: int = 0, anchor: str = "la"
    ) -> int:
        """Write one line, cut to `width` when that is given. Returns how wide it became."""
        text = self.fit(text, size, width) if width else legible(text)
        self._draw.text((x, y), text, font=face(size), fill=colour, anchor=anchor)
        return self.width_of(text, size)

    def rule(self, x: int, y: int, width: int) -> None:
        """Draw a thin line from left to right."""
        self._draw.line((x, y, x + width, y), fill=LINE, width=1)

    def bar(self, x: int, y: int, width: int, height: int, share: float, colour: Colour, limit: float | None) -> None:
        """Draw a bar filled to `share` (0..1), with a tick at `limit`."""
        self._pill(x, y, width, height, LINE)
        filled = round(width * _unit(share))
        if filled >= 2:
            self._pill(x, y, max(filled, height), height, colour)
        if limit is not None:
            self._tick(x + round(width * _unit(limit)), y, height)

    def span(
        self, x: int, y: int, width: int, low: float, high: float, at: float, colour: Colour, limit: float | None
    ) -> None:
        """Draw a score (0..1) with its interval as a thin bar on a line, and a tick at `limit`."""
        red, green, blue = colour
        left, right = x + round(width * _unit(low)), x + round(width * _unit(high))
        self._pill(x, y, width, 6, LINE)
        left = min(left, x + width - 10)
        self._pill(left, y - 2, max(right - left, 10), 10, (red * 55 // 100, green * 55 // 100, blue * 55 // 100))
        centre = min(max(x + round(width * _unit(at)), x + 9), x + width - 9)
        self._pill(centre - 11, y + 3 - 11, 22, 22, GROUND)
        self._pill(centre - 9, y + 3 - 9, 18, 18, colour)
        if limit is not None:
            self._tick(x + round(width * _unit(limit)), y, 6)

    def _pill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle with round ends, smooth at its edges."""
        mask = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING))
        box = (0, 0, mask.width - 1, mask.height - 1)
        ImageDraw.Draw(mask).rounded_rectangle(box, mask.height // 2, fill=255)
        small = mask.resize((width, height), Image.Resampling.LANCZOS)
        self.image.paste(colour, (x, y, x + width, y + height), small)

    def _tick(self, x: int, y: int, height: int) -> None:
        self._draw.rectangle((x - 1, y - 6, x + 1, y + height + 5), fill=TEXT)

    def picture(self, x: int, y: int, size: int, grey: npt.NDArray[np.uint8], aspect: float, frame: Colour) -> None:
        """Paste a grey slice (rows, columns) into a square of `size`, whole and undistorted, with a thin frame.

        aspect: height of a pixel over its width, in mm.
        """
        rows, columns = grey.shape
        scale = min(size / (rows * aspect), size / columns)
        wide, high = max(1, round(columns * scale)), max(1, round(rows * aspect * scale))
        slice_ = Image.fromarray(np.ascontiguousarray(grey)).resize((wide, high), Image.Resampling.BICUBIC)
        self.image.paste(slice_.convert("RGB"), (x + (size - wide) // 2, y + (size - high) // 2))
        self._draw.rectangle((x - 2, y - 2, x + size + 1, y + size + 1), outline=frame, width=2)

    def mark(self, x: int, y: int, size: int, outcome: Outcome) -> None:
        """Draw the shape of a verdict: each is told apart without its colour."""
        big = size * OVERSAMPLING
        layer = Image.new("RGB", (big, big), GROUND)
        draw, colour = ImageDraw.Draw(layer), OUTCOME_COLOURS[outcome]
        edge, stroke = big * 0.04, round(big * 0.09)
        if outcome is Outcome.ACCEPT:
            draw.ellipse((edge, edge, big - edge, big - edge), fill=colour)
            tick = [(big * 0.28, big * 0.52), (big * 0.44, big * 0.68), (big * 0.73, big * 0.34)]
            draw.line(tick, fill=GROUND, width=stroke, joint="curve")
        elif outcome is Outcome.REVIEW:
            draw.polygon([(big / 2, big * 0.06), (big * 0.97, big * 0.92), (big * 0.03, big * 0.92)], fill=colour)
            draw.rounded_rectangle((big * 0.455, big * 0.36, big * 0.545, big * 0.66), big * 0.04, fill=GROUND)
            draw.ellipse((big * 0.445, big * 0.72, big * 0.555, big * 0.83), fill=GROUND)
        elif outcome is Outcome.REJECT:
            corners = [math.radians(22.5 + 45 * k) for k in range(8)]
            radius = big / 2 - edge
            points = [(big / 2 + radius * math.cos(a), big / 2 + radius * math.sin(a)) for a in corners]
            draw.polygon(points, fill=colour)
            near, far = big * 0.34, big * 0.66
            draw.line((near, near, far, far), fill=GROUND, width=stroke)
            draw.line((near, far, far, near), fill=GROUND, width=stroke)
        else:
            for start in range(0, 360, 30):
                draw.arc((edge, edge, big - edge, big - edge), start, start + 18, fill=colour, width=stroke)
            question = ImageFont.load_default(big * 0.6)
            draw.text((big / 2, big * 0.52), "?", font=question, fill=colour, anchor="mm")
        self.image.paste(layer.resize((size, size), Image.Resampling.LANCZOS), (x, y))
