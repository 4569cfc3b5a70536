"""JPEG extended with 12 bits: decoded here, because the decoders that we may use take 8 bits only.

Sequential Huffman coding (processes 2 and 4), one component: what CT and MR send as 1.2.840.10008.1.2.4.51. Source:
ITU-T T.81 annexes B, C, F and A.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import UnreadablePixels

Array = npt.NDArray[Any]
_ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
)  # fmt: skip
_SOF1, _DHT, _SOS, _DQT, _DRI, _EOI = 0xC1, 0xC4, 0xDA, 0xDB, 0xDD, 0xD9
_SOF0 = 0xC0


@dataclass(slots=True)
class _Stream:
    """What the markers before the scan say. tables: (class, number) → 65536 entries of (length << 8 | symbol)."""

    bits: int = 0
    rows: int = 0
    columns: int = 0
    quantum: int = 0
    restart: int = 0
    quanta: dict[int, Array] = field(default_factory=dict)
    tables: dict[tuple[int, int], list[int]] = field(default_factory=dict)


def decode_extended(code: bytes) -> Array:
    """Return one frame (rows, columns), uint16. Raises UnreadablePixels; struct.error or IndexError when cut off."""
    stream, at = _Stream(), 2
    while True:
        marker, length = struct.unpack_from(">xBH", code, at)
        body = code[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in (_SOF0, _SOF1):
            stream.bits, stream.rows, stream.columns, components = struct.unpack_from(">BHHB", body)
            if components != 1 or stream.bits not in (8, 12):
                raise UnreadablePixels(
                    f"JPEG with one component of 8 or 12 bits is read, got {components} of {stream.bits}"
                )
            stream.quantum = body[8]
        elif marker == _DQT:
            _quanta(stream, body)
        elif marker == _DHT:
            _huffman(stream, body)
        elif marker == _DRI:
            (stream.restart,) = struct.unpack(">H", body)
        elif marker == _SOS:
            return _scan(stream, body, code[at:])
        elif 0xC2 <= marker <= 0xCF and marker != 0xCC:
            raise UnreadablePixels(f"only sequential Huffman-coded JPEG is read here, got marker FF{marker:02X}")


def _quanta(stream: _Stream, body: bytes) -> None:
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        size = 128 if wide else 64
        stream.quanta[number] = np.frombuffer(body[1 : 1 + size], ">u2" if wide else "u1").astype(np.int64)
        body = body[1 + size :]


def _huffman(stream: _Stream, body: bytes) -> None:
    while body:
        counts, total = body[1:17], sum(body[1:17])
        symbols = body[17 : 17 + total]
        table, code, place = [0] * 65536, 0, 0
        for length, count in enumerate(counts, start=1):
            for _ in range(count):
                first, size = code << (16 - length), 1 << (16 - length)
                table[first : first + size] = [length << 8 | symbols[place]] * size
                code, place = code + 1, place + 1
            code <<= 1
        stream.tables[body[0] >> 4, body[0] & 15] = table
        body = body[17 + total :]


def _scan(stream: _Stream, head: bytes, data: bytes) -> Array:
    direct, alternating = stream.tables[0, head[2] >> 4], stream.tables[1, head[2] & 15]
    down, across = -(-stream.rows // 8), -(-stream.columns // 8)
    found = np.zeros((down * across, 64), np.int64)
    each = stream.restart or down * across
    for number, part in enumerate(_intervals(data)):
        first = number * each
        if first >= len(found):
            break
        _blocks(part, direct, alternating, found[first : first + each])
    found *= stream.quanta[stream.quantum]
    natural = np.zeros_like(found)
    natural[:, list(_ZIGZAG)] = found
    k = np.arange(8)
    basis = np.cos((2 * k[:, None] + 1) * k[None] * np.pi / 16) * np.where(
        k == 0, np.sqrt(0.125), 0.5
    )  # (x, frequency)
    pictures = basis @ natural.reshape(-1, 8, 8) @ basis.T  # (blocks, 8, 8)
    whole = pictures.reshape(down, across, 8, 8).transpose(0, 2, 1, 3).reshape(down * 8, across * 8)
    levels = np.rint(whole[: stream.rows, : stream.columns]) + (1 << (stream.bits - 1))
    frame: Array = np.clip(levels, 0, (1 << stream.bits) - 1).astype(np.uint16)
    return frame


def _intervals(data: bytes) -> list[bytes]:
    """Return the coded data between restart markers, without stuffed bytes."""
    parts, start, at = [], 0, 0
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        follows = data[at + 1]
        if 0xD0 <= follows <= 0xD7 or follows == _EOI:
            parts.append(data[start:at])
            start = at + 2
            if follows == _EOI:
                break
        at += 2
    else:
        parts.append(data[start:])
    return [part.replace(b"\xff\x00", b"\xff") for part in parts]


def _blocks(part: bytes, direct: list[int], alternating: list[int], out: Array) -> None:
    """Write the coefficients of blocks into `out` (blocks, 64), in zigzag order. Source: T.81 F.2.2."""
    held, count, at, last = 0, 0, 0, 0
    size = len(part) + 8  # a decoder may look 16 bits beyond the end
    for block in out:
        index = 0
        while index < 64:
            while count < 32:
                if at > size:
                    raise UnreadablePixels("the coded data of a JPEG frame end too early")
                held = (held << 8 | (part[at] if at < len(part) else 0)) & 0xFFFFFFFFFFFF
                at, count = at + 1, count + 8
            found = (direct if index == 0 else alternating)[held >> (count - 16) & 0xFFFF]
            length, symbol = found >> 8, found & 0xFF
            if length == 0:
                raise UnreadablePixels("a JPEG frame holds a code that its table does not")
            count -= length
            run, bits = symbol >> 4, symbol & 15
            if index and not bits:
                if run != 15:
                    break
                index += 16
                continue
            value = held >> (count - bits) & ((1 << bits) - 1)
            count -= bits
            if bits and value < 1 << (bits - 1):
                value -= (1 << bits) - 1
            if index == 0:
                last += value
                block[0] = last
            else:
                index += run
                if index > 63:
                    raise UnreadablePixels("a JPEG block holds more than 64 coefficients")
                block[index] = value
            index += 1
