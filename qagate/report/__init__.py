"""Which DICOM objects say that?"""

from __future__ import annotations
