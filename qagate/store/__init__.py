"""What is true now, what happened before?"""

from __future__ import annotations
