"""Tests of the assemble room."""

from __future__ import annotations
