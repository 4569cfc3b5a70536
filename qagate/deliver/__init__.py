"""Has the PACS got it, and has it committed to keep it?"""

from __future__ import annotations
