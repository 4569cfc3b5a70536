"""qagate: a DICOM node that says whether a CT or MR series is good enough to read."""

from __future__ import annotations

__version__ = "0.1.0"
