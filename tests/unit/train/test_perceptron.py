from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import special

from qagate.train import perceptron


def test_what_guises_change_counts_for_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feature 0 says the quality; feature 1 too, but only in first looks: a member that pays for it leaves it."""
    random = np.random.default_rng(0)
    quality = random.uniform(0.1, 0.9, 300)
    x = random.normal(0, 1, (600, 6)).astype(np.float32)
    x[:, 0] = np.repeat(special.logit(quality), 2) + random.normal(0, 1, 600)
    x[::2, 1] = special.logit(quality)
    pairs = np.arange(600).reshape(300, 2)
    apart = {}
    monkeypatch.setattr(perceptron, "EPOCHS", 25)
    for alike in (0.0, 30.0):
        monkeypatch.setattr(perceptron, "ALIKE", alike)
        weights = perceptron.fit(
            pairs, x, np.repeat(quality, 2).astype(np.float32), np.zeros((600, 18), np.float32), 0.1, 0
        )
        widths = (6, perceptron.HIDDEN, perceptron.HALF, 20)
        assert [w.shape for w in weights[::2]] == list(pairwise(widths))
        hidden = x
        for layer in (0, 1):
            hidden = hidden @ weights[2 * layer] + weights[2 * layer + 1]
            hidden = hidden * 0.5 * (1 + special.erf(hidden / 2**0.5))
        said = special.expit((hidden @ weights[4] + weights[5])[:, 0])
        assert np.corrcoef(said, np.repeat(quality, 2))[0, 1] > 0.5
        apart[alike] = float(np.abs(said[::2] - said[1::2]).mean())
    assert apart[30.0] < 0.8 * apart[0.0]
