"""How is the model made, measured and adapted to a site? Torch, numpy and scipy only."""

from __future__ import annotations
