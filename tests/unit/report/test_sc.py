"""Secondary capture: a complete image object with a page that people can read."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from qagate import settings
from qagate.domain.assessment import ATTRIBUTES, Measurement
from qagate.domain.verdict import Outcome
from qagate.report.build import build, origin_of
from qagate.report.canvas import OUTCOME_COLOURS, SMALLEST, Canvas, drawable, face, legible
from qagate.report.page import page, shown_slices, speaker
from tests.unit.report import making


def capture(*pairs: Any, **changes: Any) -> Dataset:
    (found,) = [d for d in build(making.request(*pairs, **changes)) if d.kind == "SC"]
    return found.variants[0]


def test_the_image_is_complete() -> None:
    image = capture()
    assert image.SOPClassUID == SecondaryCaptureImageStorage
    assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (image.Rows, image.Columns, image.SamplesPerPixel) == (1024, 1024, 3)
    assert (image.BitsAllocated, image.PhotometricInterpretation, image.PlanarConfiguration) == (8, "RGB", 0)
    assert len(image.PixelData) == 1024 * 1024 * 3
    assert image.pixel_array.shape == (1024, 1024, 3)
    assert image.BurnedInAnnotation == "YES"
    assert image.ConversionType == "WSD"
    assert image.SeriesNumber == 9902
    assert image.SeriesDescription == "Image quality (AI) - not for diagnosis"


def test_it_names_the_slices_it_shows() -> None:
    found = [item.ReferencedSOPInstanceUID for item in capture().SourceImageSequence]
    # scores are 50 + 30 sin(k / 3): 50.0 at 0, 54.2 at 9, 68.6 at 2, 79.9 at 5
    assert found == [making.sop(k + 1) for k in (0, 9, 2, 5)]


def test_lossy_stays_lossy() -> None:
    assert "LossyImageCompression" not in capture()
    lossy = (making.header(1), making.header(2, LossyImageCompression="01"))
    assert capture(evidence=lossy).LossyImageCompression == "01"


def test_it_can_be_switched_off() -> None:
    kinds = [d.kind for d in build(making.request(settings=settings.Report(secondary_capture=False)))]
    assert kinds == ["SR", "KO"]


@pytest.mark.parametrize(
    ("there", "scores", "shown"),
    [
        ((0, 1, 2, 3, 4), {0: 9.0, 1: 8.0, 2: 7.0, 3: 6.0, 4: 5.0}, [(4, False), (3, False), (2, False), (0, True)]),
        ((0, 1), {0: 9.0, 1: 8.0}, [(1, False), (0, True)]),
        ((2,), {2: 50.0}, [(2, False)]),
        ((0, 1, 2), {}, [(0, False), (1, False), (2, False)]),  # nothing scored: as they lie
        ((), {0: 9.0}, []),
    ],
)
def test_three_worst_slices_and_a_good_one(
    there: tuple[int, ...], scores: dict[int, float], shown: list[tuple[int, bool]]
) -> None:
    base = making.assessment(5)
    slices = tuple(dataclasses.replace(row, score=scores.get(k)) for k, row in enumerate(base.slices))
    assessment = dataclasses.replace(base, slices=slices)
    request = making.request((assessment, making.verdict()), pictures=making.pictures(0, there))
    assert shown_slices(request, assessment) == shown


def test_the_page_is_about_the_volume_that_decided() -> None:
    good = (making.assessment(score=90.0), making.verdict(Outcome.ACCEPT))
    worse = (making.assessment(score=40.0), making.verdict())
    look = (making.assessment(score=55.0), making.verdict())
    assert speaker(making.request(good, look, worse, making.unscored()))[0].score == 40.0
    assert speaker(making.request(good, making.unscored()))[0].score == 90.0
    assert speaker(making.request(making.unscored()))[0].score is None


def shows(pixels: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(colour, np.uint8)).all(axis=-1).any())


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_verdict_has_a_colour_and_a_shape_of_its_own(outcome: Outcome) -> None:
    pair = making.unscored() if outcome is Outcome.UNSCORED else (making.assessment(), making.verdict(outcome))
    request = making.request(pair)
    assert shows(page(request, origin_of(request))[:140, :140], OUTCOME_COLOURS[outcome])


def test_shapes_differ_without_their_colour() -> None:
    drawn = []
    for outcome in Outcome:
        canvas = Canvas(100, 100)
        canvas.mark(4, 4, 92, outcome)
        drawn.append(canvas.pixels().max(axis=-1) > 60)  # (100, 100, 3) → (100, 100) ink or none
    for k, one in enumerate(drawn):
        assert one.any()
        for other in drawn[k + 1 :]:
            assert (one != other).mean() > 0.05


def test_colours_stand_out_from_black() -> None:
    for colour in OUTCOME_COLOURS.values():
        linear = [(c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert (luminance + 0.05) / 0.05 >= 4.5  # WCAG 2 contrast against black


LONG = "Noise 24 HU where the abdomen of people of this size is usually between 12 and 18 " * 6


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": {name: k / 17 for k, name in enumerate(ATTRIBUTES)}},
        {"attributes": {}},
        {"physics": tuple(Measurement(f"a very long name of number {k}", 10.0**k, "[hnsf'U]/mm2") for k in range(12))},
        {"physics": ()},
        {"interval": None},
        {"geometry": None},
        {"slices": ()},
        {"score": 0.0, "interval": (0.0, 0.0)},
        {"score": 100.0, "interval": (100.0, 100.0)},
        {"model": None},
    ],
    ids=lambda changes: ",".join(changes),
)
@pytest.mark.parametrize("reasons", [(), ("Short",), (LONG,) * 7], ids=["none", "one", "many"])
def test_nothing_leaves_the_page(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    pair = (making.assessment(**changes), making.verdict(reasons=reasons))
    request = making.request(pair, public_url="https://qagate.example.org/" + "y" * 200)
    pixels = page(request, origin_of(request))
    for margin in (pixels[:30], pixels[-14:], pixels[:, :36], pixels[:, -36:]):
        assert not margin.any()
    assert not pixels[1024 - 126 : 1024 - 114].any()  # nothing runs into the foot


def test_words_in_other_scripts_do_not_become_boxes() -> None:
    assert drawable("腹部 造影 Abdomen 3.0 mm") == "Abdomen 3.0 mm"
    assert legible("ACC-腹部-1") == "ACC-?-1"
    assert legible("Schädel, Größe ≤ 3 µm · 5°") == "Schadel, Grosse <= 3 um · 5°"
    assert legible("Łódź crâne Ångström ½") == "Lodz crane Angstrom 1⁄2"
    assert drawable("Голова T1") == "T1"


def test_text_is_never_smaller_than_a_viewer_leaves_legible() -> None:
    assert face(9).getbbox("Hg") == face(SMALLEST).getbbox("Hg")


@pytest.mark.parametrize("size", [18, 22, 64])
def test_text_is_cut_where_it_does_not_fit(size: int) -> None:
    canvas = Canvas(400, 100)
    cut = canvas.fit("a" * 200, size, 300)
    assert cut.endswith("...")
    assert canvas.width_of(cut, size) <= 300
    assert canvas.fit("ok", size, 300) == "ok"


def test_wrapping_keeps_every_word_that_has_room() -> None:
    canvas = Canvas(400, 100)
    lines = canvas.wrap("one two three four five six seven eight nine ten", 20, 200, 9)
    assert " ".join(lines) == "one two three four five six seven eight nine ten"
    assert all(canvas.width_of(line, 20) <= 200 for line in lines)
    assert len(canvas.wrap("word " * 100, 20, 200, 2)) == 2
    assert canvas.wrap("", 20, 200, 2) == []


def test_pictures_keep_their_proportions() -> None:
    canvas = Canvas(240, 240)
    canvas.picture(10, 10, 200, np.full((50, 100), 200, np.uint8), 3.0, (0, 0, 0))
    # 50 rows of 3 mm by 100 columns of 1 mm: 150 by 100 mm, so 200 px high and 133 px wide
    ink = canvas.pixels().max(axis=-1) > 100
    assert ink.any(axis=1).sum() == 200
    assert ink.any(axis=0).sum() == 133
