from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qagate.train import forest, members, metrics
from qagate.train.described import Labelled
from qagate.train.members import blend, fit_head, folds_of, joined


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "TREES", 20)
    monkeypatch.setattr(members, "HONEST_TREES", 20)


def _labelled(items: int, seed: int, assessor: int = 6, noise: float = 0.3) -> Labelled:
    """Labels follow one number of the assessor, or of the hand-made ones when there is no assessor."""
    random = np.random.default_rng(seed)
    network, handmade, other, eye = (random.normal(size=(items, n)).astype(np.float32) for n in (5, 8, assessor, 3))
    said = (other if assessor else handmade)[:, 0]
    labels = 2.0 + said + random.normal(0, noise, items)
    return Labelled(
        network, handmade, other, eye[:, : assessor and 3], said.astype(float), labels, np.arange(items) // 6
    )


@pytest.mark.parametrize("assessor", [6, 0])
def test_a_head_learns_from_the_assessor_or_does_without(assessor: int) -> None:
    data, fresh = _labelled(120, 0, assessor), _labelled(120, 1, assessor)
    head = fit_head(data)
    assert head.recipe.parts == (5, 8, assessor, 3 if assessor else 0)
    assert metrics.srcc(head.predict(fresh.features), fresh.labels) > 0.75


def test_labels_of_chance_are_shrunk_to_their_mean() -> None:
    data = _labelled(60, 2, noise=30.0)
    said = fit_head(data).predict(_labelled(60, 3).features)
    assert np.std(said) < 0.5 * np.std(data.labels)
    assert np.mean(said) == pytest.approx(np.mean(data.labels), abs=0.4 * np.std(data.labels))


def test_whole_numbers_with_ties_are_labels_too() -> None:
    data = _labelled(90, 4)
    whole = replace(data, labels=np.round(data.labels).clip(0, 4))
    fresh = _labelled(90, 5)
    assert metrics.srcc(fit_head(whole).predict(fresh.features), fresh.labels) > 0.65


def test_who_explains_nothing_has_no_say() -> None:
    random = np.random.default_rng(0)
    target = random.normal(size=200)
    good, fair, none = target + random.normal(0, 0.4, 200), 0.7 * target, random.normal(size=200)
    weights = blend(np.stack([good, fair, none]), target, np.array([1.0, 1.0, 2.0]))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[2] < 0.01
    assert min(weights[:2]) > 0.3


@pytest.mark.parametrize(
    ("errors", "prior", "wanted"),
    [
        ((0.25, 0.25), (1, 3), (0.25, 0.75)),  # equally good: as before
        ((0.25, 0.58), (1, 1), (0.729, 0.271)),  # exp(-3 * 0.33) = 0.372; 1 / 1.372
        ((0.25, 1.25), (1, 1), (0.953, 0.047)),  # exp(-3) = 0.050
    ],
)
def test_weights_fall_with_the_error(
    errors: tuple[float, ...], prior: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    target = np.tile([1.0, -1.0], 20)
    honest = np.stack([target * (1 - np.sqrt(error)) for error in errors])
    assert blend(honest, target, np.array(prior, float)) == pytest.approx(wanted, abs=0.001)


def test_one_lucky_member_of_few_groups_does_not_rule() -> None:
    """Five members are equally good, each errs by chance on six groups: the luckiest must not be all there is."""
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(6), 20)
    target = random.normal(size=120)
    honest = np.stack([0.5 * target + random.normal(0, 0.8, 6)[groups] for _ in range(5)])
    weights = blend(honest, target, np.ones(5))
    assert weights.max() < 0.5


def test_joined_forests_say_their_weighted_sum() -> None:
    data = _labelled(60, 6)
    first = forest.fit(data.handmade, data.labels, data.groups, trees=5)
    second = forest.fit(data.handmade, data.labels, data.groups, trees=9, seed=1)
    whole = joined([first, second], np.array([0.3, 0.5]))
    said = forest.Trees(*(whole[f"tree_{n}"] for n in ("feature", "threshold", "left", "value", "root")))
    assert said(data.handmade) == pytest.approx(0.3 * first(data.handmade) + 0.5 * second(data.handmade), abs=1e-4)


def test_folds_keep_groups_whole_and_are_of_like_size() -> None:
    groups = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    folds = folds_of(groups, 3)
    assert all(len(set(folds[groups == g])) == 1 for g in range(9))
    assert np.ptp(np.bincount(folds)) <= 5
    assert folds_of(np.arange(3), 10).max() == 2


def test_a_process_is_not_believed_what_it_says_of_itself() -> None:
    """Labels of six groups and all features are drawn by chance: nothing can be explained, 1 - error² is at most 0."""
    own, asked = [], []
    for seed in range(4):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(6), 20)
        x = (random.normal(size=(6, 40))[groups] + 0.3 * random.normal(size=(120, 40))).astype(np.float32)
        y = random.normal(size=6)[groups] + 0.3 * random.normal(size=120)
        y = (y - y.mean()) / y.std()
        fitted, honest = members._process(x, y, groups, (20, 10, 10), (True, True, True), 0)
        own.append(1 - ((fitted.out_of_group - y) ** 2).mean())
        asked.append(1 - ((honest - y) ** 2).mean())
    assert min(own) > 0.2  # what it was chosen by
    assert max(asked) < 0.2
