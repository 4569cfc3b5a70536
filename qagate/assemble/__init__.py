"""Is the series complete, and what volumes do its slices make?"""

from __future__ import annotations
