"""Text as people typed it, made comparable: one spelling, words apart, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from qagate.domain.volume import Tags

# Scripts written without spaces between words, or with prefixes and particles glued on: there a word is found anywhere.
_GLUED = re.compile(
    "[\u0590-\u05ff\u0600-\u06ff\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]"
)
_HAN_OR_HANGUL = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LETTERS_OR_DIGITS = r"[^\W_]*"
_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}  # no decomposition
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_GAP = re.compile(r"[\W_]+")
_ARABIC_THE, _ARABIC_FOR_THE = "\u0627\u0644", "\u0644\u0644"


def normalise(text: str) -> str:
    """Return text in one spelling: NFKC, case folded, accents stripped from Latin and Greek letters only.

    Stripping accents from a whole string would break Hangul into jamo and take the marks from kana, so it is done
    letter by letter.
    """
    if text.isascii():
        return text.casefold()
    out: list[str] = []
    latin = False
    for character in unicodedata.normalize("NFKC", text).casefold():
        if unicodedata.combining(character):
            if not latin:  # a mark that NFKC left on its own belongs to a script that needs it
                out.append(character)
            continue
        name = unicodedata.name(character, "")
        latin = name.startswith(("LATIN", "GREEK"))
        if latin:
            out.append(_LETTERS.get(character) or unicodedata.normalize("NFD", character)[0])
        else:
            out.append(character)
    return "".join(out).replace("ς", "σ")


def spaced(text: str) -> str:
    """Return the words of text, normalised, each with one space on either side: " thorax nativ 5 0 ".

    Both readings are kept, one after the other, when they differ: as written ("ThoraxRoutine t1") and with words apart
    at capitals and digits ("thorax routine t 1"), so that either can be found.
    """
    whole = _joined(text)
    apart = _joined(_CAMEL.sub(" ", unicodedata.normalize("NFKC", text)))
    if whole == apart:
        return whole
    return f"{whole}|{apart}"


def symbols(text: str) -> str:
    """Return text normalised with underscores and runs of space as one space; signs stay, for rules that need them."""
    return re.sub(r"[_\s]+", " ", normalise(text)).strip()


def _joined(text: str) -> str:
    return " " + _GAP.sub(" ", normalise(text)).strip() + " "


def pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return one pattern that finds any of the words in `spaced` text, None when there are none.

    A word may hold spaces (a phrase), and `*` for any letters ("wirbelsaul*", "*gelenk", "thorac* spine"). Words of
    scripts without spaces are found anywhere, those of one Han or Hangul character only alone. Longer words win.
    """
    parts = {_part(word): len(word) for word in words}
    ordered = sorted(parts, key=lambda part: (-parts[part], part))
    return re.compile("|".join(ordered)) if ordered else None


def _part(word: str) -> str:
    tokens = [_token(token) for token in normalise(word).split()]
    if not any(token.strip("*") for token in tokens):
        raise ValueError(f"a word must hold letters or digits, got {word!r}")
    core = " ".join(tokens)
    if is_glued(core):
        return _glued(core)
    body = re.escape(core).replace(r"\ ", " ").replace(r"\*", _LETTERS_OR_DIGITS)
    return rf"(?<![^\W_]){body}(?![^\W_])"


def _token(token: str) -> str:
    return re.sub(r"[^\w*]|_", " ", token).strip()


def _glued(core: str) -> str:
    if core.startswith(_ARABIC_THE):  # "of the knee" is written without the first letter of "the"
        return f"(?:{_ARABIC_THE}|{_ARABIC_FOR_THE}){re.escape(core.removeprefix(_ARABIC_THE))}"
    if len(core) > 1 or not _HAN_OR_HANGUL.match(core):
        return re.escape(core)
    # one character alone is a word only when it stands alone, behind a side (右膝, 双肾), or before "part", "joint",
    # "organ", "plain", "enhanced" (頭単純, 肝造影)
    other = _HAN_OR_HANGUL.pattern
    behind = "単純|造影|平扫|平掃|增强|增強|部|関節|关节|關節|臓|脏|臟|조영"
    return f"(?:(?<!{other})|(?<=[左右両双雙])){core}(?={behind}|(?!{other}))"


def is_glued(text: str) -> bool:
    """Return whether text is in a script whose words are found anywhere, not between spaces."""
    return _GLUED.search(text) is not None


def texts(tags: Tags, tag: str) -> tuple[str, ...]:
    """Return a tag's values as text, empty ones left out; () when the tag is absent."""
    value = tags.get(tag)
    if value is None:
        return ()
    values = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(text for item in values if (text := str(item).strip()))


def numbers(tags: Tags, tag: str) -> tuple[float, ...]:
    """Return a tag's values as finite numbers; what is not a number is left out."""
    out = []
    for text in texts(tags, tag):
        try:
            number = float(text)
        except ValueError:
            continue
        if abs(number) < 1e12:  # also drops inf; NaN compares false
            out.append(number)
    return tuple(out)


def number(tags: Tags, tag: str) -> float | None:
    """Return the first number of a tag, None when there is none."""
    return next(iter(numbers(tags, tag)), None)
