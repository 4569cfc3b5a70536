"""Nameless faults: what a picture may suffer that no physicist has described, made of mathematics instead of physics.

A judge that only learned faults with names takes what it never saw for a good picture. These are wide families drawn by
chance, one file each: any filter, any change of lines of k-space, any pattern, any field, any curve of greys, any
displacement, anything put in the place of pixels, any mixture of slices. They promise what the artefacts promise
(`artefact`), but teach quality alone: none of them has a name that a person would want to read.

Idea: Tobin et al., IROS 2017 (domain randomisation).
"""

from __future__ import annotations

from qagate.train.degrade.artefact import Artefact
from qagate.train.degrade.nameless import curve, displaced, field, filtered, lines, pattern, replaced, stack

_MODULES = (filtered, lines, pattern, field, curve, displaced, replaced, stack)

NAMELESS: dict[str, Artefact] = {module.ARTEFACT.name: module.ARTEFACT for module in _MODULES}
"""Name → fault."""
