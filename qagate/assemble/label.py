"""Labels: short names that tell the volumes of one series apart. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from qagate.assemble.frame import Frame, KeyValue, Vector3, cross

# How keys are shown; those that are absent here (times, windows) mean little to a reader and give way to a number.
_SHOWN = {
    "plane": "{}",
    "kind": "{}",
    "made": "{}",
    "component": "{}",
    "kernel": "kernel {}",
    "echo": "echo {}",
    "TE": "TE {} ms",
    "b": "b {}",
    "TemporalPositionIdentifier": "time point {}",
    "TemporalPositionIndex": "time point {}",
    "InversionTime": "TI {} ms",
    "InversionTimes": "TI {} ms",
    "FlipAngle": "flip angle {}",
    "NominalCardiacTriggerDelayTime": "trigger {} ms",
    "TriggerTime": "trigger {} ms",
    "NominalPercentageOfCardiacPhase": "cardiac phase {} %",
    "NominalPercentageOfRespiratoryPhase": "respiratory phase {} %",
    "type": "{}",
    "AcquisitionNumber": "acquisition {}",
    "FrameAcquisitionNumber": "acquisition {}",
    "KVP": "{} kV",
    "MonoenergeticEnergyEquivalent": "{} keV",
    "ASLContext": "{}",
    "MagnetizationTransfer": "magnetization transfer {}",
    "StackID": "stack {}",
    "matrix": "{}",
    "spacing": "pixels of {} mm",
    "SliceThickness": "slices of {} mm",
}


def labels_of(groups: Sequence[Sequence[Frame]]) -> tuple[str, ...]:
    """Return one label for each group of frames; "" when there is one group only. Labels differ from each other."""
    if len(groups) < 2:
        return ("",) * len(groups)
    described = [_description(group) for group in groups]
    _name_types(described)
    chosen: list[str] = []
    distinct = 1
    for name in _SHOWN:
        count = len({tuple(one.get(key) for key in (*chosen, name)) for one in described})
        if count > distinct:
            chosen.append(name)
            distinct = count
    plain = [
        ", ".join(_SHOWN[name].format(_text(one[name])) for name in chosen if one.get(name) not in (None, ""))
        for one in described
    ]
    total, seen, labels = Counter(plain), Counter[str](), []
    for label in plain:
        seen[label] += 1
        labels.append(f"{label} #{seen[label]}".strip() if total[label] > 1 or not label else label)
    return tuple(labels)


def _description(frames: Sequence[Frame]) -> dict[str, KeyValue]:
    """Return the keys that have one value in all frames of a group."""
    values: dict[str, set[KeyValue]] = defaultdict(set)
    first = frames[0]
    if first.row is not None and first.column is not None:
        values["plane"].add(plane_of(cross(first.row, first.column)))
    for frame in frames:
        for name, value in (*frame.apart, *frame.inner, *frame.repeats):
            values[name].add(value)
    values["matrix"].add(f"{first.columns} x {first.rows}")
    if first.pixel_spacing_mm:
        values["spacing"].add(f"{first.pixel_spacing_mm[0]:.3g} x {first.pixel_spacing_mm[1]:.3g}")
    return {name: next(iter(found)) for name, found in values.items() if len(found) == 1}


def _name_types(described: Sequence[dict[str, KeyValue]]) -> None:
    """Add as "type" the words of Image Type that not all groups share: water, fat."""
    words = [dict.fromkeys(str(one.get("ImageType", "")).upper().split("\\")) for one in described]
    shared = set.intersection(*(set(found) for found in words))
    for one, found in zip(described, words, strict=True):
        one["type"] = " ".join(word.lower() for word in found if word and word not in shared)


def _text(value: KeyValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def plane_of(normal: Vector3) -> str:
    """Return the anatomical plane that a normal is nearest to."""
    return ("sagittal", "coronal", "axial")[max(range(3), key=lambda axis: abs(normal[axis]))]
