"""What should a person look at, and what did they decide?"""

from __future__ import annotations
