"""Fit: train the network on a pack.

    python -m qagate.train fit PACK OUT_DIR [--size small] [--minutes 50] [--seed 0] [--resume | --warm FOLDER]

Everything that is drawn comes from the seed and the number of the step, so that a run can be stopped and resumed.
Checkpoints are safetensors and JSON, never pickle. Selection looks at the select part only.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from scipy import stats
from torch import Tensor
from torch.utils.data import DataLoader

from qagate.errors import InputError
from qagate.score import bundle
from qagate.score.network import SIZES, Architecture, Network, Prediction, Tokens, size
from qagate.score.preprocess import statistics
from qagate.train import data, labels, losses
from qagate.train.checkpoint import Run, restore, save
from qagate.train.degrade import REGISTRY, Artefact
from qagate.train.pack import Packed, volumes
from qagate.train.variety import enlarged

WARM_UP_STEPS = 60
EMA = 0.998


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. Ends at `steps`, or after `minutes` when steps is 0. without: artefacts left out, "blur,jpeg"."""

    size: str = "small"
    minutes: float = 50.0
    steps: int = 0
    seed: int = 0
    groups: int = 5
    fresh: int = 1
    pool: int = 600
    places: int = 3
    levels: int = 2
    workers: int = 0
    rate: float = 2e-3
    decay: float = 0.05
    save_minutes: float = 4.0
    select_groups: int = 24
    measure_groups: int = 12
    prompt: str = "film"
    planar: bool = True
    pseudo_3d: bool = True
    ranking: bool = True
    nuisance: bool = True
    without: str = ""
    device: str = "cpu"

    @property
    def architecture(self) -> Architecture:
        """Sizes with the ablations applied."""
        return replace(SIZES[self.size], prompt=self.prompt, planar=self.planar, pseudo_3d=self.pseudo_3d)

    @property
    def artefacts(self) -> dict[str, Artefact]:
        """Artefacts to train with. Raises InputError when one to leave out is not known, or none is left."""
        left_out = {name.strip() for name in self.without.split(",") if name.strip()}
        kept = {name: artefact for name, artefact in REGISTRY.items() if name not in left_out}
        if not kept or left_out - REGISTRY.keys():
            raise InputError(f"without must leave out some of {', '.join(REGISTRY)}, got {self.without}")
        return kept


def main(arguments: list[str]) -> int:
    """Train, and print one line of progress every few steps."""
    parser = argparse.ArgumentParser(prog="qagate train fit", description="Train the network on a pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path, help="folder for checkpoints and the log")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    parser.add_argument("--warm", type=Path, help="begin with the weights of this checkpoint or bundle")
    for name, default in asdict(Plan()).items():
        option = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(option, type=type(default), default=default)
    options = vars(parser.parse_args(arguments))
    pack, out, resume, warm = (options.pop(name) for name in ("pack", "out", "resume", "warm"))
    fit(pack, out, Plan(**options), resume, warm)
    return 0


def fit(pack: Path, out: Path, plan: Plan, resume: bool = False, warm: Path | None = None) -> dict[str, float]:
    """Train and return what the last selection measured. warm: where the first weights are. Raises InputError."""
    torch.set_num_threads(1 if plan.device == "cpu" else max(1, (os.cpu_count() or 2) - 2))
    out.mkdir(parents=True, exist_ok=True)
    fitted, kept = enlarged(list(volumes(pack, ("fit",)))), list(volumes(pack, ("select",)))
    run = start(plan, len(fitted))
    if resume:
        restore(run, out / "last")
    elif warm is not None:
        _begin_with(run, warm)
    else:
        measure(run, fitted, plan)
    say(
        out,
        f"{size(run.network)} parameters, {len(fitted)} volumes to fit, {len(kept)} to select, from step {run.step}",
    )
    held = _held_out(kept, plan)
    say(out, f"{len(held)} groups to select with")
    source = feed(fitted, plan, run.step)
    measured: dict[str, float] = {}
    began, saved = time.monotonic() - run.seconds, time.monotonic()
    while not _over(plan, run):
        told = step(run, next(source), fitted, plan)
        run.seconds = time.monotonic() - began
        if run.step % 10 == 0:
            values = " ".join(f"{k} {v:.4f}" for k, v in told.items())
            say(out, f"step {run.step} at {run.seconds / 60:.1f} min: {values}")
        if time.monotonic() - saved > plan.save_minutes * 60 or _over(plan, run):
            measured = select(run.ema, held, kept, plan)
            text = " ".join(f"{k} {v:.4f}" for k, v in measured.items())
            say(out, f"select at step {run.step}: {text}")
            save(run, out / "last", asdict(plan))
            if measured.get("criterion", 0.0) >= run.best:
                run.best = measured.get("criterion", 0.0)
                save(run, out / "best", asdict(plan))
            saved = time.monotonic()
    return measured


def start(plan: Plan, contents: int) -> Run:
    """Return a run that has not begun."""
    torch.manual_seed(plan.seed)
    network = Network(plan.architecture).to(plan.device)
    if plan.device == "cpu":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = Network(plan.architecture).to(plan.device)
    ema.load_state_dict(network.state_dict())
    flat = [p for p in network.parameters() if p.ndim < 2]
    deep = [p for p in network.parameters() if p.ndim >= 2]
    optimiser = torch.optim.AdamW(
        [{"params": deep, "weight_decay": plan.decay}, {"params": flat, "weight_decay": 0.0}], lr=plan.rate
    )
    return Run(network, ema.eval(), optimiser, torch.zeros(contents))


@torch.no_grad()
def measure(run: Run, fitted: list[Packed], plan: Plan) -> None:
    """Put the statistics of texture on one scale, by some groups of the fit part."""
    groups = data.Groups(fitted, plan.artefacts, plan.seed + 77)
    generator = torch.Generator().manual_seed(plan.seed)
    made = data.batch([groups.make(i) for i in range(plan.measure_groups)], fitted, plan.artefacts, generator)
    found = statistics(made.pictures).flatten(0, 1)
    for network in (run.network, run.ema):
        network.texture.centre.copy_(found.mean(0))
        network.texture.spread.copy_(found.std(0) + 1e-3)


def _begin_with(run: Run, folder: Path) -> None:
    """Put the weights of a checkpoint of another run, or of a bundle, into a run. Raises InputError."""
    if (folder / bundle.SHEET).exists():
        weights = bundle.load(folder, network_alone=True).network.state_dict()
    else:
        restore(run, folder)
        weights = run.ema.state_dict()
    try:
        for network in (run.network, run.ema):
            network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{folder} must hold a network of the same size, got {error}") from error
    run.step, run.seconds, run.best = 0, 0.0, -math.inf


def step(run: Run, groups: list[data.Group], contents: list[Packed], plan: Plan) -> dict[str, float]:
    """Take one step and return the parts of the loss."""
    generator = torch.Generator().manual_seed(plan.seed * 7_000_003 + run.step)
    slices = int(torch.randint(data.FEWEST_SLICES, data.SLICES + 1, (1,), generator=generator))
    batch = data.batch(groups, contents, plan.artefacts, generator, plan.nuisance, levels=plan.levels, slices=slices)
    target = aim(batch, run.offsets, plan.device)
    done = run.step / plan.steps if plan.steps else run.seconds / (plan.minutes * 60)
    for group in run.optimiser.param_groups:
        group["lr"] = plan.rate * min(1.0, (run.step + 1) / WARM_UP_STEPS) * (0.02 + 0.98 * _cosine(done))
    run.network.train()
    half = plan.device != "cpu"
    with torch.autocast(plan.device, torch.bfloat16, enabled=half):
        prediction, tokens = look(run.network, batch, plan.device)
    weights = losses.Weights(ranking=1.0 if plan.ranking else 0.0)
    loss, parts = losses.total(prediction, tokens, target, weights)
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    if math.isfinite(float(loss.detach())):
        run.optimiser.step()
    _learn_offsets(run, batch, prediction.score.detach().cpu(), target.score.cpu(), done)
    run.step += 1
    decay = min(EMA, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for mean, new in zip(run.ema.parameters(), run.network.parameters(), strict=True):
            mean.lerp_(new, 1.0 - decay)
    return {"loss": float(loss.detach()), **parts}


def look(network: Network, batch: data.Batch, device: str) -> tuple[Prediction, Tokens]:
    """Return what the network says of a batch; of slabs that are one slice, it sees that slice once."""
    slices = batch.pictures.shape[1]
    rows, said, seen = [], [], []
    for single in (False, True):
        row = torch.nonzero(batch.single == single).flatten()
        if not len(row):
            continue
        count = 1 if single else slices
        prediction, tokens = network(
            batch.pictures[row, :count].to(device), batch.fields[row, :count].to(device), batch.prompts[row].to(device)
        )
        rows.append(row)
        said.append((prediction.logits, prediction.attributes, prediction.slices.expand(-1, slices), prediction.pooled))
        seen.append((tokens.features, tokens.scores, tokens.weights))
    back = torch.cat(rows).argsort().to(device)
    merged = [torch.cat(column)[back] for column in zip(*said, strict=True)]
    wide = [[x.expand(-1, slices, *x.shape[2:]) for x in part] for part in seen]
    return Prediction(*merged), Tokens(*(torch.cat(column)[back] for column in zip(*wide, strict=True)))


def aim(batch: data.Batch, offsets: Tensor, device: str) -> losses.Target:
    """Turn distances into scores: quality of the distance times what the untouched source is worth."""
    worth = (losses.CLEAN + offsets[batch.content])[:, None]
    slices = labels.quality(batch.slice_distances) * worth
    score = labels.quality(batch.distances) * worth[:, 0]
    spread = torch.where(batch.distances < 1e-6, losses.CLEAN_SD, losses.LEVEL_SD)
    return losses.Target(
        score.to(device), spread.to(device), slices.to(device), batch.attributes.to(device), batch.known.to(device),
        batch.group.to(device), batch.twin.to(device),
    )  # fmt: skip


def feed(fitted: list[Packed], plan: Plan, first: int) -> Iterator[list[data.Group]]:
    """Yield the groups of step `first`, `first` + 1, ...: some new, some from the last `pool` made."""
    begin = max(0, first * plan.fresh - plan.pool)
    groups = data.Groups(fitted, plan.artefacts, plan.seed, begin, plan.places)
    made: Iterator[data.Group]
    if plan.workers:
        loader = DataLoader(groups, batch_size=None, num_workers=1, prefetch_factor=8, worker_init_fn=_worker)
        made = iter(loader)
    else:
        made = iter(groups)
    pool: deque[data.Group] = deque(maxlen=max(plan.pool, plan.groups))
    for _ in range(first * plan.fresh - begin):  # a resumed run sees the pool that it would have had
        pool.append(next(made))
    number = first
    while True:
        pool.extend(next(made) for _ in range(plan.fresh))
        generator = torch.Generator().manual_seed(plan.seed * 5_000_011 + number)
        new = list(pool)[-plan.fresh :]
        old = torch.randint(len(pool), (plan.groups - plan.fresh,), generator=generator).tolist()
        yield new + [pool[i] for i in old]
        number += 1


@torch.no_grad()
def select(network: Network, held: list[data.Group], kept: list[Packed], plan: Plan) -> dict[str, float]:
    """Measure rank correlation across and within contents, in other guises than the network was shown."""
    network.eval()
    generator = torch.Generator().manual_seed(1)
    said, meant, within = [], [], []
    for group in held:
        batch = data.batch([group], kept, plan.artefacts, generator)
        target = aim(batch, torch.zeros(len(kept)), "cpu")
        score = look(network, batch, plan.device)[0].score.float().cpu()
        said.append(score)
        meant.append(target.score)
        if float(target.score.std()) > 0.02:
            within.append(_spearman(score[:-1], target.score[:-1]))
    if not said:
        return {}
    all_said, all_meant = torch.cat(said), torch.cat(meant)
    srcc = _spearman(all_said, all_meant)
    inside = sum(within) / max(1, len(within))
    rmse = float((all_said - all_meant).square().mean().sqrt())
    return {"srcc": srcc, "within": inside, "rmse": rmse, "criterion": srcc + inside - rmse}


def say(out: Path, line: str) -> None:
    """Print a line of progress and keep it in the log."""
    print(line, flush=True)
    with (out / "fit.log").open("a") as file:
        file.write(line + "\n")


def _held_out(kept: list[Packed], plan: Plan) -> list[data.Group]:
    if not kept or plan.select_groups == 0:
        return []
    groups = data.Groups(kept, plan.artefacts, 999)
    return [groups.make(index) for index in range(plan.select_groups)]


def _learn_offsets(run: Run, batch: data.Batch, said: Tensor, meant: Tensor, done: float) -> None:
    """Learn what each source is worth, from what the network says of all its levels; drawn to 0, within ±0.1.

    A source that is noisy by itself looks worse than its label says, whatever its levels: pulling the label towards
    the picture keeps the network from having to know the source by heart.
    """
    if done < 0.15:
        return
    for content in sorted(set(batch.content.tolist())):
        of = batch.content == content
        error = float((said[of] - meant[of]).mean())
        offset = float(run.offsets[content])
        run.offsets[content] = min(0.1, max(-0.1, offset + 0.05 * (0.7 * error - 0.3 * offset)))


def _over(plan: Plan, run: Run) -> bool:
    return run.step >= plan.steps if plan.steps else run.seconds >= plan.minutes * 60


def _cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _spearman(a: Tensor, b: Tensor) -> float:
    if len(a) < 3 or float(a.std()) == 0 or float(b.std()) == 0:
        return 0.0
    return float(stats.spearmanr(a.numpy(), b.numpy()).statistic)


def _worker(_: int) -> None:
    torch.set_num_threads(1)
