"""What is happening right now: logs and metrics, without patient data."""

from __future__ import annotations
