"""The command sets of C-STORE, request and response. Source: PS3.7 9.3.1 and E.1."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_C_STORE_RQ = 0x0001
_C_STORE_RSP = 0x8001
_NO_DATA_SET = 0x0101


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """A C-STORE request without its data set; UIDs as they came, so that they are answered with the same bytes."""

    context_id: int
    message_id: int
    sop_class_uid: bytes
    sop_instance_uid: bytes
    has_data_set: bool


def decoded(context_id: int, command: bytes) -> StoreCommand | None:
    """Return a C-STORE request; None for any other message and for one that is not as it must be."""
    values: dict[int, bytes] = {}
    offset = 0
    while offset + 8 <= len(command):
        group, element, length = struct.unpack_from("<HHI", command, offset)
        offset += 8
        if group != 0 or offset + length > len(command):
            return None
        values[element] = command[offset : offset + length]
        offset += length
    try:
        if struct.unpack("<H", values[0x0100])[0] != _C_STORE_RQ:
            return None
        return StoreCommand(
            context_id=context_id,
            message_id=struct.unpack("<H", values[0x0110])[0],
            sop_class_uid=values[0x0002],
            sop_instance_uid=values[0x1000],
            has_data_set=struct.unpack("<H", values[0x0800])[0] != _NO_DATA_SET,
        )
    except (KeyError, struct.error):
        return None


def response(command: StoreCommand, status: int) -> bytes:
    """Return the answer to a request."""
    body = b"".join(
        (
            _element(0x0002, command.sop_class_uid),
            _element(0x0100, struct.pack("<H", _C_STORE_RSP)),
            _element(0x0120, struct.pack("<H", command.message_id)),
            _element(0x0800, struct.pack("<H", _NO_DATA_SET)),
            _element(0x0900, struct.pack("<H", status)),
            _element(0x1000, command.sop_instance_uid),
        )
    )
    return _element(0x0000, struct.pack("<I", len(body))) + body


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, element, len(value)) + value
