"""How good is it: overall, per artefact, per slice, how certain, and what do the physics say?"""

from __future__ import annotations

import os

# torch's threads wait in a busy loop by default and take each other's cores; read when torch is loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
