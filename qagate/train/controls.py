"""Controls: changes that must not move a score, and information that must matter (T6 of the benchmark).

Each change is a pure function of a sample. Limit: 5 points of 100, for the mean over volumes and for nine in ten.
A sharper kernel is harmless to a good picture alone: it lifts the noise of a noisy one and mends a blurred one. For
those the score must move as the label does, within the same limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.train import bootstrap, labels, metrics, sampling
from qagate.train.evaluate import Scores
from qagate.train.heard import MODEL, Heard
from qagate.train.pack import Packed
from qagate.train.pictures import volume
from qagate.train.sampling import Sample, Slab

LIMIT_POINTS = 5.0
SOFT_TISSUE_HU = (0.0, 120.0)

Change = Callable[[Sample], tuple[Volume, Prompt]]


def _with(sample: Sample, voxels: npt.NDArray[Any]) -> tuple[Volume, Prompt]:
    return volume(voxels, sample.volume.geometry.spacing_mm), sample.prompt


def saved_again(sample: Sample) -> tuple[Volume, Prompt]:
    """Store the same values as float32, as another program might."""
    return _with(sample, sample.volume.voxels.astype(np.float32))


def other_scale(sample: Sample) -> tuple[Volume, Prompt]:
    """Store MR with another slope; CT keeps its HU."""
    voxels = sample.volume.voxels
    return _with(sample, voxels if sample.modality == "CT" else np.round(voxels * 1.37).astype(np.int16))


def flipped_columns(sample: Sample) -> tuple[Volume, Prompt]:
    """Mirror left and right."""
    return _with(sample, np.ascontiguousarray(sample.volume.voxels[:, :, ::-1]))


def flipped_rows(sample: Sample) -> tuple[Volume, Prompt]:
    """Mirror up and down."""
    return _with(sample, np.ascontiguousarray(sample.volume.voxels[:, ::-1]))


def flipped_slices(sample: Sample) -> tuple[Volume, Prompt]:
    """Turn the order of the slices round."""
    return _with(sample, np.ascontiguousarray(sample.volume.voxels[::-1]))


def other_spacing(sample: Sample) -> tuple[Volume, Prompt]:
    """Say a spacing 15 % larger for the same voxels."""
    z, y, x = sample.volume.geometry.spacing_mm
    return volume(sample.volume.voxels, (z * 1.15, y * 1.15, x * 1.15)), sample.prompt


def sharper_kernel(sample: Sample) -> tuple[Volume, Prompt]:
    """Sharpen mildly, as the next kernel of the list would: 30 % of an unsharp mask of 1 pixel."""
    voxels = sample.volume.voxels.astype(np.float32)
    return _with(sample, voxels + 0.3 * (voxels - ndimage.gaussian_filter(voxels, (0, 1, 1))))


def contrast_phase(sample: Sample) -> tuple[Volume, Prompt]:
    """Lift soft tissue by up to 25 HU in CT, smoothly; bend MR by a gamma of 1.15."""
    voxels = sample.volume.voxels.astype(np.float32)
    if sample.modality == "CT":
        low, high = SOFT_TISSUE_HU
        share = np.clip((voxels - low) / (high - low), 0.0, 1.0)
        return _with(sample, voxels + 100.0 * share * (1.0 - share))
    top = max(float(np.percentile(voxels, 99.5)), 1.0)
    return _with(sample, np.sign(voxels) * top * (np.abs(voxels) / top) ** 1.15)


UNMOVED: dict[str, Change] = {
    "identity re-save": saved_again,
    "intensity scale": other_scale,
    "flip columns": flipped_columns,
    "flip rows": flipped_rows,
    "flip slices": flipped_slices,
    "spacing metadata +15 %": other_spacing,
    "sharper kernel": sharper_kernel,
    "contrast phase": contrast_phase,
}
"""Name → a change that must move the score by less than 5 points."""


def no_prompt(sample: Sample) -> Prompt:
    """Return a prompt that says the modality and nothing else."""
    return Prompt(modality=sample.prompt.modality)


def shuffled_prompts(samples: Sequence[Sample], seed: int = 0) -> list[Prompt]:
    """Return for each sample the prompt of another one; the modality goes with the rest of it."""
    order = np.random.default_rng(seed).permutation(len(samples))
    return [samples[int(i)].prompt for i in order]


def same_modality_prompts(samples: Sequence[Sample], seed: int = 0) -> list[Prompt]:
    """Return for each sample the prompt of another one of its modality."""
    random = np.random.default_rng(seed)
    by = {m: [s.prompt for s in samples if s.modality == m] for m in {s.modality for s in samples}}
    return [replace(by[s.modality][int(random.integers(len(by[s.modality])))]) for s in samples]


def better_by_label(source: Slab, sample: Sample) -> float:
    """Return by how many points the label of a picture, against its untouched source, rises with a sharper kernel."""
    modality = sample.modality
    reference = torch.from_numpy(source.voxels)[None]
    unit = np.float32(1.0 if modality == "CT" else source.gain)
    found = []
    for volume_ in (sample.volume, sharper_kernel(sample)[0]):
        picture = torch.from_numpy(volume_.voxels.astype(np.float32) / unit)[None]
        found.append(100.0 * float(labels.quality(labels.distance(reference, picture, modality))[0]))
    return found[1] - found[0]


def measure(contents: list[Packed], scorer: Scores, heard: Heard, count: int, resamples: int) -> dict[str, Any]:
    """Return T6: how far harmless changes move the score, and what prompts and labels are worth."""
    random = np.random.default_rng(66)
    sources = sampling.slabs(contents, count, random)
    kept = [sampling.degraded(s, {}, 0) for s in sources]
    for number, source in enumerate(sources):  # the same of slightly noisy ones, where most real pictures lie
        name = ("ct_noise" if source.packed.prompt.modality == "CT" else "mr_noise") if number % 2 else "blur"
        kept.append(sampling.degraded(source, {name: 0.5}, number))
    before = np.array([scorer.score(s.volume, s.prompt).score for s in kept])
    moved = {}
    for name, change in UNMOVED.items():
        delta = np.array([scorer.score(*change(s)).score for s in kept]) - before
        if change is sharper_kernel:
            good, spoilt = np.split(delta, [len(sources)])
            by_label = np.array([better_by_label(s, k) for s, k in zip(sources, kept[len(sources) :], strict=True)])
            moved[name] = _far(good)
            moved[f"{name}, noisy or blurred, less the label's move"] = {
                **_far(spoilt - by_label), "itself": _far(spoilt), "label": _far(by_label),
            }  # fmt: skip
        else:
            moved[name] = _far(delta)
    truth, subjects = heard.quality, heard.subjects
    said = heard.predicted[MODEL]
    prompts = {}
    for name, others in (
        ("no prompt", [no_prompt(s) for s in heard.samples]),
        ("prompt of another, same modality", same_modality_prompts(heard.samples)),
        ("prompt of another", shuffled_prompts(heard.samples)),
    ):
        values = np.array([scorer.score(s.volume, p).score for s, p in zip(heard.samples, others, strict=True)])
        cost = bootstrap.paired_difference(metrics.srcc, said, values, truth, subjects, resamples=resamples)
        prompts[name] = {"srcc": metrics.srcc(values, truth), "costs_srcc": cost.as_dict()}
    draws = [metrics.srcc(said, random.permutation(truth)) for _ in range(20)]
    return {
        "limit_points": LIMIT_POINTS,
        "unmoved": moved,
        "prompts": prompts,
        "labels shuffled": {"srcc_mean": float(np.mean(draws)), "srcc_sd": float(np.std(draws))},
    }


def _far(delta: npt.NDArray[np.float64]) -> dict[str, Any]:
    far = np.abs(delta)
    return {
        "mean_absolute": float(far.mean()),
        "p90_absolute": float(np.percentile(far, 90)),
        "largest": float(far.max()),
        "mean": float(delta.mean()),
        "holds": bool(far.mean() < LIMIT_POINTS and np.percentile(far, 90) < LIMIT_POINTS),
    }
