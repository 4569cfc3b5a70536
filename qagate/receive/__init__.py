"""May this peer send, and are the bytes safely on disk?"""

from __future__ import annotations
