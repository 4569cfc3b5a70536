"""The nouns of qagate as frozen data. No input or output happens here."""

from __future__ import annotations
