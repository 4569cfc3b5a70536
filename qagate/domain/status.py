"""Status: what a DIMSE response says of its request. Source: PS3.7 annex C; C-STORE PS3.4 B.2.3, C-FIND PS3.4 C.4.1."""

from __future__ import annotations

from typing import Final

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
NO_SUCH_OBJECT: Final = 0x0112
INVALID_ARGUMENT: Final = 0x0115
CLASS_INSTANCE_CONFLICT: Final = 0x0119
NO_SUCH_ACTION: Final = 0x0123
NOT_AUTHORISED: Final = 0x0124
UNRECOGNISED_OPERATION: Final = 0x0211
RESOURCE_LIMITATION: Final = 0x0213
OUT_OF_RESOURCES: Final = 0xA700
WARNING: Final = 0xB000
CANNOT_UNDERSTAND: Final = 0xC000
PENDING: Final = 0xFF00
