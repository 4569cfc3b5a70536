"""What must run next, where, and after a crash?"""

from __future__ import annotations
