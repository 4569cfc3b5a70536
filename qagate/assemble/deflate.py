"""Deflated Explicit VR Little Endian: inflate with a limit, so that a small file cannot fill the memory."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from qagate.errors import NotDicom

INFLATED_UID = b"1.2.840.10008.1.2.1.99"
"""Transfer syntax of files whose data set is deflated. Source: PS3.5 section A.5."""

_CHUNK = 1 << 20


def inflate(file: BinaryIO, max_bytes: int) -> tuple[bytes, bytes]:
    """Return the inflated data set and the bytes before it (preamble and file meta).

    Raises NotDicom when the file meta has no group length, or when more than max_bytes would come out.
    """
    start = file.read(144)
    if start[128:136] != b"DICM\x02\x00\x00\x00" or len(start) < 144:
        raise NotDicom(f"a deflated file needs a file meta group length, got {start[128:144]!r}")
    (length,) = struct.unpack("<L", start[140:144])
    meta = start + file.read(min(length, 1 << 16))
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    body = bytearray()
    while chunk := file.read(_CHUNK):
        while chunk:
            body += engine.decompress(chunk, _CHUNK)
            if len(body) > max_bytes:
                raise NotDicom(f"a deflated data set may hold at most {max_bytes} bytes, got more")
            chunk = engine.unconsumed_tail
        if engine.eof:
            break
    # A truncated stream yields what it holds: the reader says what is missing.
    body += engine.flush() if engine.eof else b""
    return bytes(body), meta
