"""How qagate names itself to other DICOM systems."""

from __future__ import annotations

IMPLEMENTATION_CLASS_UID = "2.25.196757590420998626776947339971869324679"
"""(0002,0012) and the user information item of every association. Fixed for ever. Source: PS3.7 D.3.3.2."""

IMPLEMENTATION_VERSION_NAME = "QAGATE_0_1"
"""(0002,0013): up to 16 characters. Source: PS3.7 D.3.3.2."""
