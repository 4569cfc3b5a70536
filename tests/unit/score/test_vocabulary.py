from __future__ import annotations

import math

import pytest
import torch

from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.prompt import MODALITIES, ORGANS, Acquisition, Prompt
from qagate.score import vocabulary
from qagate.score.vocabulary import Seen, drop, encode, stack

CHEST = Prompt(modality="CT", regions=("chest",), organ="lung", kernel="sharp", plane="axial", contrast=True)


def test_words_start_at_one_and_unknown_is_zero() -> None:
    known, silent = encode(CHEST, (1, 1, 1), 10), encode(Prompt(), (1, 1, 1), 10)
    assert known.words[0].tolist() == [1, ORGANS.index("lung") + 1, 0, 3, 1, 2]
    assert silent.words[0].tolist() == [0] * 6
    assert known.regions.sum() == 1
    assert silent.regions.sum() == 0


def test_words_outside_the_vocabulary_are_unknown() -> None:
    assert encode(Prompt(modality="US", organ="tail"), (1, 1, 1), 1).words[0].tolist() == [0] * 6


def test_what_training_never_saw_is_left_out() -> None:
    coded = encode(CHEST, (1, 1, 1), 10, Seen(frozenset({"modality:CT"}), frozenset({"row_spacing_mm"})))
    assert coded.words[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert coded.regions.sum() == 0
    assert coded.present.sum() == 1


@pytest.mark.parametrize(
    ("acquisition", "name", "expected"),
    [
        (Acquisition(kvp=100.0), "kvp", -1.0),  # (100 - 120) / 20
        (Acquisition(exposure_mas=150.0 * math.e), "exposure_mas", 1.0),  # ln(e) / 1
        (Acquisition(slice_thickness_mm=1e9), "slice_thickness_mm", 3.0),  # cut off at 3
    ],
)
def test_values_are_normalised(acquisition: Acquisition, name: str, expected: float) -> None:
    coded = encode(Prompt(acquisition=acquisition), (1, 1, 1), 10)
    place = list(vocabulary.VALUES).index(name)
    assert coded.values[0, place] == pytest.approx(expected)
    assert coded.present[0, place] == 1


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_values_that_cannot_be_are_absent(value: float) -> None:
    coded = encode(Prompt(acquisition=Acquisition(exposure_mas=value)), (1, 1, 1), 10)
    place = list(vocabulary.VALUES).index("exposure_mas")
    assert coded.values[0, place] == 0
    assert coded.present[0, place] == 0


def test_unknown_spacing_is_not_told() -> None:
    assert encode(Prompt(), (1, 1, 1), 10, spacing_known=False).present.sum() == 1  # the count of slices


def test_drop_forgets_and_zeroes() -> None:
    many = encode(CHEST, (1, 1, 1), 10).repeat(400)
    dropped = drop(many, torch.Generator().manual_seed(0))
    assert 0.05 < float((dropped.words[:, 0] == 0).float().mean()) < 0.16  # modality: only with the whole, 10 %
    assert 0.3 < float((dropped.words[:, 1] == 0).float().mean()) < 0.45  # 1 - 0.9 x 0.7 = 37 %
    assert float((dropped.values * (1 - dropped.present)).abs().max()) == 0


def test_stack_and_take() -> None:
    both = stack([encode(CHEST, (1, 1, 1), 10), encode(Prompt(modality="MR"), (1, 1, 1), 10)])
    assert len(both) == 2
    assert both[torch.tensor([1])].words[0, 0] == 2


def test_attributes_of_each_modality_are_attributes() -> None:
    assert set(vocabulary.ATTRIBUTES_OF) == set(MODALITIES)
    assert set().union(*vocabulary.ATTRIBUTES_OF.values()) == set(ATTRIBUTES)
