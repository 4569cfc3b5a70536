"""What modality, region, organ and sequence is this, how sure, and which tag said so?"""

from __future__ import annotations
