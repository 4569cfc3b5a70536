"""How good is it: overall, per artefact, per slice, how certain, and what do the physics say?"""

from __future__ import annotations
