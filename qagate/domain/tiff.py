"""TIFF: what the numbers of a grey page mean where Pillow gives them as they lie in the file. Source: TIFF 6.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_BITS, _PHOTOMETRIC, _FORMAT = 258, 262, 339
_WHITE_IS_ZERO = 0
_UNSIGNED, _SIGNED = 1, 2


def meant(values: npt.NDArray[Any], tags: Mapping[int, Any]) -> npt.NDArray[Any]:
    """Return the grey values of a page, higher ones brighter. tags: of the page, none unless of a TIFF.

    Pillow leaves three kinds to us: 16 bits of which 0 is white, 8 bits with a sign, 32 bits without one.
    """
    bits, signed = int(_first(tags.get(_BITS), 0)), int(_first(tags.get(_FORMAT), _UNSIGNED))
    if values.dtype == np.uint8 and (bits, signed) == (8, _SIGNED) and tags.get(_PHOTOMETRIC) != _WHITE_IS_ZERO:
        return values.view(np.int8)
    if values.dtype == np.int32 and (bits, signed) == (32, _UNSIGNED):
        return values.view(np.uint32)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        turned: npt.NDArray[Any] = np.uint16(2 ** min(max(bits, 1), 16) - 1) - values.astype(np.uint16)
        return turned
    return values


def _first(value: Any, otherwise: int) -> Any:
    return next(iter(value), otherwise) if isinstance(value, tuple | list) else (value or otherwise)
