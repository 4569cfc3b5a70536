"""A scanner, a PACS and their faults, to see qagate work before a real scanner is connected."""

from __future__ import annotations
