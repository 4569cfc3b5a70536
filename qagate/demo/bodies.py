"""The bodies of the phantoms: lists of ellipsoids, painted in order, in mm (see phantom.py for the frame)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

FAT_HU = -105.0
MUSCLE_HU = 58.0


@dataclass(frozen=True, slots=True)
class Blob:
    """One ellipsoid.

    centre_mm and radii_mm are (x, y, z); turn_degrees turns it in the slice plane; wobble is the depth of its
    irregular outline (0 = smooth); texture_hu how much it varies inside; power the squareness of its outline
    (2 = ellipse, 3 = rounded box). z radius None means a tube through all slices.
    """

    hu: float
    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float | None]
    turn_degrees: float = 0.0
    wobble: float = 0.0
    texture_hu: float = 3.0
    power: float = 2.0
    phase: float = 0.0


def _trunk(width: float, depth: float, fat: float, muscle: float) -> list[Blob]:
    """Return table, skin, fat and the muscle wall of a trunk; width and depth are half axes in mm."""
    return [
        Blob(-150, (0, depth + 14, 0), (200, 7, None), texture_hu=0, power=4),
        Blob(-850, (0, depth + 14, 0), (196, 4, None), texture_hu=0, power=4),
        Blob(5, (0, 0, 0), (width, depth, None), wobble=0.012, power=2.3),
        Blob(FAT_HU, (0, 0, 0), (width - 2, depth - 2, None), wobble=0.012, power=2.3, texture_hu=6),
        Blob(MUSCLE_HU, (0, 2, 0), (width - fat, depth - fat * 0.7, None), wobble=0.015, power=2.3, texture_hu=9),
        Blob(FAT_HU, (0, -4, 0), (width - fat - muscle, depth - fat * 0.7 - muscle, None), wobble=0.02, power=2.3,
             texture_hu=7),
    ]  # fmt: skip


def _spine(y: float, length: float, rng: np.random.Generator) -> list[Blob]:
    """Return vertebrae every 32 mm with discs between them, arches, processes, and the muscles beside them."""
    parts: list[Blob] = []
    for side in (-1, 1):
        parts.append(Blob(FAT_HU, (side * 38, y + 38, 0), (37, 22, None), side * 12, 0.03, 6))
        parts.append(Blob(MUSCLE_HU, (side * 34, y + 37, 0), (33, 18.5, None), side * 12, 0.06, 14, phase=side))
    parts.append(Blob(95, (0, y, 0), (21, 15, None), 0, 0.02, 6, 2.4))
    z = float(rng.uniform(4, 14))
    while z < length + 20:
        parts.append(Blob(520, (0, y, z), (23, 16.5, 13), 0, 0.02, 25, 2.8))
        parts.append(Blob(185, (0, y, z), (20.5, 14, 12.5), 0, 0.02, 38, 2.8))
        for side in (-1, 1):
            parts.append(Blob(480, (side * 13, y + 20, z + 2), (4.5, 10, 8), side * -8, 0, 30))
            parts.append(Blob(430, (side * 26, y + 26, z), (17, 4, 6), side * 14, 0, 30))
            parts.append(Blob(470, (side * 9, y + 35, z - 6), (11, 4, 13), side * 42, 0, 30))
        parts.append(Blob(500, (0, y + 50, z - 10), (3.5, 15, 11), 0, 0, 30))
        parts.append(Blob(230, (0, y + 51, z - 10), (1.8, 11, 9), 0, 0, 20))
        z += 32
    parts.append(Blob(-20, (0, y + 24, 0), (10.5, 8.5, None), texture_hu=4))
    parts.append(Blob(34, (0, y + 24, 0), (8, 6.5, None), texture_hu=3))
    return parts


def _ribs(width: float, depth: float, low: float, high: float) -> list[Blob]:
    """Return ribs that run downwards from the spine to the front, as slanted rows of short pieces."""
    parts: list[Blob] = []
    for start in np.arange(low - 90, high + 90, 27.0):
        for side in (-1, 1):
            for degrees in range(20, 150, 6):  # 0 = back, 180 = front
                z = start + 90 - degrees * 0.85
                if not low <= z <= high:
                    continue
                t = pi * degrees / 180
                x, y = side * width * sin(t), depth * cos(t)
                turn = side * -(180 / pi) * np.arctan2(depth * sin(t), width * cos(t))
                parts.append(Blob(640, (x, y, z), (9, 4.6, 7.5), turn, 0, 30))
                parts.append(Blob(240, (x, y, z), (8, 2.8, 6), turn, 0, 30))
    return parts


def _bowel(rng: np.random.Generator, count: int, low: float, high: float) -> list[Blob]:
    parts: list[Blob] = []
    for _ in range(count):
        z, x = float(rng.uniform(low, high)), float(rng.uniform(-85, 85))
        y = float(rng.uniform(-72, 8))
        a, b = float(rng.uniform(9, 16)), float(rng.uniform(8, 13))
        turn, phase = float(rng.uniform(0, 180)), float(rng.uniform(0, 6))
        depth = float(rng.uniform(14, 26))
        parts.append(Blob(88, (x, y, z), (a, b, depth), turn, 0.06, 8, phase=phase))
        parts.append(Blob(float(rng.uniform(12, 45)), (x, y, z), (a - 2.4, b - 2.4, depth - 2), turn, 0.08, 10,
                          phase=phase))  # fmt: skip
        if rng.random() < 0.22:  # gas rises to the front of a patient on the back
            parts.append(Blob(-900, (x, y - b * 0.4, z), (a * 0.6, b * 0.35, depth * 0.7), turn, 0.04, 8))
    for x, y in ((-104.0, 8.0), (112.0, 22.0)):  # ascending and descending colon
        parts.append(Blob(75, (x, y, low), (24, 22, high - low + 25), 0, 0.1, 8, phase=x))
        parts.append(Blob(10, (x, y, low), (21, 19, high - low + 22), 0, 0.12, 45, phase=x))
        parts.append(Blob(-930, (x, y - 8, low), (15, 9, high - low + 8), 0, 0.12, 20, phase=x))
    return parts


def abdomen(rng: np.random.Generator) -> list[Blob]:
    wide, deep = 166 + float(rng.normal(0, 4)), 118 + float(rng.normal(0, 3))
    spine_y = deep - 66
    parts = _trunk(wide, deep, 21, 13)
    parts += _bowel(rng, 72, 2, 92)
    for side in (-1.0, 1.0):  # psoas beside, quadratus behind
        parts.append(Blob(MUSCLE_HU + 4, (side * 40, spine_y + 3, -10), (22, 19, 105), side * 25, 0.04, 9))
        parts.append(Blob(MUSCLE_HU, (side * 68, spine_y + 28, 0), (21, 10, 100), side * -25, 0.05, 9))
    # lungs, then what the diaphragm holds up
    parts.append(Blob(-865, (-72, 8, 240), (72, 88, 108), 0, 0.02, 32))
    parts.append(Blob(-860, (74, 12, 245), (68, 84, 100), 0, 0.02, 32))
    parts.append(Blob(45, (12, -38, 225), (62, 46, 52), 20, 0.05, 8))
    parts.append(Blob(112, (-70, 0, 118), (74, 84, 76), -14, 0.035, 7, 2.3))  # liver, right lobe
    parts.append(Blob(112, (-6, -52, 134), (70, 32, 44), 6, 0.05, 7))  # left lobe
    parts.append(Blob(62, (58, -32, 128), (44, 36, 48), 30, 0.04, 7))  # stomach: wall, contents, gas
    parts.append(Blob(22, (58, -32, 128), (39, 31, 44), 30, 0.05, 12))
    parts.append(Blob(-940, (56, -52, 128), (24, 13, 30), 0, 0.06, 10))
    parts.append(Blob(124, (106, 34, 130), (26, 46, 44), 12, 0.05, 5))  # spleen
    parts.append(Blob(98, (16, -8, 92), (48, 12, 15), -14, 0.14, 10))  # pancreas
    parts.append(Blob(10, (-52, -54, 84), (17, 22, 26), 15, 0.02, 3))  # gallbladder
    for side in (-1, 1):
        x, y, z = side * 66.0, spine_y - 6, 74.0 + side * 7
        parts.append(Blob(FAT_HU, (x, y, z), (37, 34, 66), side * 25, 0.04, 7))
        parts.append(Blob(190, (x, y, z), (27, 24, 54), side * 25, 0.04, 8))
        for petal in range(6):  # pyramids of the medulla
            t = petal * pi / 3 + side * 0.4
            parts.append(Blob(135, (x + 14 * cos(t), y + 12 * sin(t), z), (7, 5, 42), 180 * t / pi, 0.05, 8))
        parts.append(Blob(-75, (x - side * 6, y - 2, z), (13, 9, 30), side * 25, 0.12, 14))
        parts.append(Blob(70, (x - side * 10, y - 4, z), (8, 4, 18), side * 25, 0.1, 9))
        parts.append(Blob(70, (side * 44, spine_y - 18, 142), (15, 3.5, 16), side * 35, 0.1, 4))  # adrenals
    parts += _vessels(rng, spine_y)
    parts += _ribs(wide - 27, deep - 20, 62, 190)
    parts += _spine(spine_y, 180, rng)
    return parts


def _vessels(rng: np.random.Generator, spine_y: float) -> list[Blob]:
    parts = [
        Blob(158, (11, spine_y - 27, 0), (10.5, 10.5, None), texture_hu=3),  # aorta
        Blob(600, (17, spine_y - 34, 40), (2.2, 1.4, 9), 40, 0, 20),  # plaque in its wall
        Blob(146, (-20, spine_y - 26, 0), (13, 10, None), 15, 0.03, 3),  # inferior vena cava
        Blob(160, (-16, -12, 112), (30, 6.5, 7), -22, 0.08, 3),  # portal vein
        Blob(155, (8, -26, 60), (5, 5, 45), 0, 0, 3),  # superior mesenteric vein and artery
        Blob(165, (20, -20, 60), (3.5, 3.5, 50), 0, 0, 3),
        Blob(150, (42, spine_y - 22, 84), (30, 3.5, 6), 18, 0.04, 3),  # left renal vein
    ]
    for _ in range(34):  # hepatic and portal branches
        t, r = float(rng.uniform(0, 2 * pi)), float(rng.uniform(0.1, 0.72))
        x, y, z = -70 + 62 * r * cos(t), 68 * r * sin(t), float(rng.uniform(78, 168))
        parts.append(
            Blob(152, (x, y, z), (float(rng.uniform(6, 20)), float(rng.uniform(1.8, 3.6)), float(rng.uniform(4, 9))),
                 180 * t / pi + float(rng.normal(0, 25)), 0.05, 2)
        )  # fmt: skip
    for _ in range(70):  # mesenteric vessels in the fat
        parts.append(
            Blob(120, (float(rng.uniform(-75, 75)), float(rng.uniform(-60, 5)), float(rng.uniform(0, 95))),
                 (float(rng.uniform(1.5, 7)), 1.6, float(rng.uniform(5, 16))), float(rng.uniform(0, 180)), 0, 4)
        )  # fmt: skip
    return parts


def chest(rng: np.random.Generator) -> list[Blob]:
    wide, deep = 168.0, 116.0
    spine_y = deep - 62
    parts = _trunk(wide, deep, 17, 16)
    for side in (-1, 1):
        parts.append(Blob(MUSCLE_HU, (side * 150, 15, 240), (46, 60, 90), 0, 0.04, 9))  # shoulder girdle
        parts.append(Blob(560, (side * 158, 20, 245), (22, 22, 45), 0, 0.03, 30))
        parts.append(Blob(260, (side * 158, 20, 245), (18, 18, 42), 0, 0.03, 40))
        parts.append(Blob(-862, (side * 70, 6, 105), (62, 84, 138), side * 4, 0.02, 38, 2.4))
    parts.append(Blob(55, (0, -12, 200), (34, 46, 130), 0, 0.06, 8))  # mediastinum
    parts.append(Blob(112, (-62, 0, 0), (70, 78, 44), 0, 0.03, 7))  # liver dome
    parts.append(Blob(118, (92, 34, 0), (36, 46, 30), 10, 0.04, 6))
    parts.append(Blob(-80, (26, -34, 72), (68, 52, 58), 25, 0.04, 8))  # fat around the heart
    parts.append(Blob(95, (26, -34, 72), (62, 47, 54), 25, 0.03, 7))
    parts.append(Blob(240, (38, -28, 68), (30, 22, 38), 30, 0.05, 6))
    parts.append(Blob(250, (6, -40, 78), (26, 22, 34), 20, 0.05, 6))
    parts.append(Blob(260, (8, -30, 160), (15, 15, 60), 0, 0, 4))  # ascending aorta
    parts.append(Blob(260, (20, spine_y - 20, 60), (12.5, 12.5, 130), 0, 0, 4))
    parts.append(Blob(250, (-26, -22, 170), (9, 9, 80), 0, 0, 4))
    parts.append(Blob(255, (0, -4, 132), (46, 12, 11), 8, 0.05, 4))  # pulmonary arteries
    parts.append(Blob(40, (0, 8, 200), (11, 10, 80), 0, 0, 3))
    parts.append(Blob(-990, (0, 8, 205), (9, 8, 80), 0, 0, 2))  # trachea
    for side in (-1, 1):
        parts.append(Blob(-980, (side * 22, 10, 122), (12, 6, 12), side * 30, 0, 2))
    for _ in range(240):  # vessels of the lung, thinner outwards
        lung = float(rng.choice((-68.0, 68.0)))
        r, t = float(rng.uniform(0.12, 0.95)), float(rng.uniform(0, 2 * pi))
        x, y = lung + 52 * r * cos(t), 6 + 72 * r * sin(t)
        thick = 3.4 * (1.1 - r)
        parts.append(
            Blob(40, (x, y, float(rng.uniform(20, 215))),
                 (thick + float(rng.uniform(1, 9)), thick + 0.4, float(rng.uniform(3, 14))),
                 float(np.degrees(np.arctan2(y - 4, x))), 0.0, 8)
        )  # fmt: skip
    parts += _ribs(wide - 27, deep - 19, -20, 260)
    parts.append(Blob(420, (0, -(deep - 17), 120), (19, 6, 95), 0, 0.03, 30))
    parts += _spine(spine_y, 240, rng)
    return parts


def head(rng: np.random.Generator) -> list[Blob]:
    parts = [
        Blob(-120, (0, 8, 0), (88, 112, None), 0, 0, 0, 3),  # head rest
        Blob(-960, (0, 0, 0), (84, 108, None), 0, 0, 0, 3),
        Blob(20, (0, 0, 20), (78, 97, 118), 0, 0.01, 6, 2.2),
        Blob(-80, (0, 0, 20), (76, 95, 116), 0, 0.01, 6, 2.2),
        Blob(1150, (0, 0, 20), (72, 91, 112), 0, 0.008, 40, 2.2),
        Blob(550, (0, 0, 20), (69.5, 88.5, 109.5), 0, 0.008, 60, 2.2),
        Blob(1200, (0, 0, 20), (68, 87, 108), 0, 0.008, 40, 2.2),
        Blob(8, (0, 0, 20), (65, 84, 105), 0, 0.008, 2, 2.2),
        Blob(37, (0, 0, 20), (62.5, 81, 102), 0, 0.014, 1.5, 2.2),
        Blob(29, (0, 0, 28), (51, 69, 84), 0, 0.12, 1.5, 2.2),
    ]
    for side in (-1, 1):
        for _ in range(60):  # sulci, on the surface of the brain at their own height
            t, z = float(rng.uniform(0.05, pi - 0.05)), float(rng.uniform(10, 105))
            wide = (1 - ((z - 20) / 102) ** 2) ** 0.5
            x, y = side * 57 * wide * sin(t), 76 * wide * cos(t)
            turn = float(np.degrees(np.arctan2(y, x)) + rng.normal(0, 18))
            deep, tall = float(rng.uniform(4, 9)), float(rng.uniform(3, 7))
            parts.append(Blob(12, (x, y, z), (deep, 1.4, tall), turn, 0, 1))
        parts.append(Blob(8, (side * 11, -22, 62), (5.5, 22, 17), side * -14, 0.04, 1))  # lateral ventricles
        parts.append(Blob(8, (side * 16, 24, 62), (6, 22, 15), side * 16, 0.04, 1))
        parts.append(Blob(37, (side * 14, 2, 52), (9, 15, 15), side * 18, 0.03, 1))  # thalamus, lentiform nucleus
        parts.append(Blob(38, (side * 29, -8, 54), (7, 18, 15), side * -16, 0.03, 1))
        parts.append(Blob(120, (side * 14, 26, 66), (2.5, 4, 5), 0, 0.1, 20))  # calcified choroid plexus
        parts.append(Blob(900, (side * 40, 14, 0), (26, 9, 16), side * -28, 0.05, 60))  # petrous bone, mastoid
        parts.append(Blob(-850, (side * 52, 24, 0), (11, 8, 12), 0, 0.1, 60))
        parts.append(Blob(-900, (side * 11, -66, -4), (9, 14, 14), 0, 0.05, 20))  # sinuses
        parts.append(Blob(12, (side * 32, -70, 2), (13, 13, 14), 0, 0, 3))  # eyes
    parts.append(Blob(34, (0, 44, 16), (46, 30, 24), 0, 0.03, 2))  # cerebellum
    parts.append(Blob(6, (0, 26, 18), (7, 4, 10), 0, 0, 1))
    parts.append(Blob(62, (0, 2, 95), (0.9, 84, 36), 0, 0.02, 3))  # falx
    parts.append(Blob(7, (0, 4, 50), (2.4, 11, 11), 0, 0, 1))  # third ventricle
    return parts


PLANS: Mapping[str, Callable[[np.random.Generator], list[Blob]]] = {"abdomen": abdomen, "chest": chest, "head": head}
"""Region → its body."""
