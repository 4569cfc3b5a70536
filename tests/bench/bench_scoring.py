"""Measure how long it takes to judge one volume and to write its report, and where the time goes.

    python -m tests.bench.bench_scoring [--slices 120] [--rounds 3] [--threads 0] [--device auto] [--report-slices 300]

The volume is a phantom's abdomen, the same on every machine. First it is judged as a worker does it (medians of the
rounds), then once with one thread and a clock on every part. The roofline compares the network with what a plain matrix
product reaches on the same device: FLOPs are those of its convolutions and products, bytes are all that its operations
read and write, as if nothing stayed in a cache.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydicom import Dataset
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from qagate.assemble.series import read_series
from qagate.demo import phantom
from qagate.demo.write import write_series
from qagate.domain.volume import SeriesVolumes
from qagate.prompt.rules import load_rules
from qagate.report.build import build
from qagate.report.evidence import essentials
from qagate.score import familiar, patches, scorer, tiles
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.work.assessing import Judged, assess
from qagate.work.previews import pictures_of, save, save_heatmap
from qagate.work.reporting import request_for

PARTS = (
    # (name, where the function is looked up, its name there)
    ("preprocess", patches, "channels"),
    ("preprocess", scorer, "apply_standard"),
    ("preprocess", scorer, "body"),
    ("familiar", familiar, "strangeness"),
    ("hand-made features", tiles, "describe"),
)


class Clocks:
    """Seconds by part; `held` counts what lies inside another part for that other one only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Count the time of a block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the time of every call of PARTS."""
        kept = [(where, name, getattr(where, name)) for _, where, name in PARTS]
        for (part, where, name), (_, _, function) in zip(PARTS, kept, strict=True):
            setattr(where, name, self._timed(part, function))
        try:
            yield
        finally:
            for where, name, function in kept:
                setattr(where, name, function)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.on(part):
                return function(*arguments, **named)

        return timed


class Traffic(TorchDispatchMode):
    """Adds up the bytes of all tensors that go into and come out of operations."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count."""
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            for leaf in tree_leaves((args, out)):
                if isinstance(leaf, torch.Tensor):
                    self.bytes += leaf.nbytes
        return out


def series(folder: Path, slices: int, rows: int = 512) -> list[Path]:
    """Write a CT of the abdomen."""
    scan = phantom.abdomen((slices, rows, rows), seed=1, dose=0)
    voxels = phantom.add_noise(scan.voxels, scan.spacing_mm, dose=1.0, seed=2)
    paths = write_series(
        voxels, scan.spacing_mm, folder, modality="CT", description="Abd venous", protocol="Abdomen venous",
        study="1", seed="bench", series=2,
    )  # fmt: skip
    return list(paths)


def report(headers: list[Dataset], judged: list[Judged], settings: Settings, folder: Path, clocks: Clocks) -> None:
    """Write what is written about a series, with a clock on each part. headers: what reading the series kept of it."""
    with clocks.on("pictures"):
        pictures = {item.volume.index: pictures_of(item.volume, item.assessment) for item in judged}
        for item in judged:
            save(folder, item.assessment, pictures[item.volume.index])
            save_heatmap(folder, item.volume, item.heatmap)
    with clocks.on("report: request"):
        request = request_for(
            judged, headers, pictures, settings, revision=1, predecessor=None, set_of_images="bench",
            created_at=datetime.now(UTC),
        )  # fmt: skip
    with clocks.on("report: build"):
        documents = build(request)
    with clocks.on("report: write"):
        for document in documents:
            document.write(folder)


def split(paths: list[Path], one: Scorer, settings: Settings, folder: Path) -> dict[str, float]:
    """Return the seconds of each part, with one thread."""
    clocks, rules = Clocks(), load_rules(None)
    headers: list[Dataset] = []
    with clocks.on("read and decode"):
        volumes = read_series(paths, headers=headers)
    before = one.workers, torch.get_num_threads()
    one.workers = 1
    torch.set_num_threads(1)
    with clocks.watching():
        judged = assess(volumes, rules, one, settings)
    one.workers = before[0]
    torch.set_num_threads(before[1])
    timing = judged[0].assessment.timing_ms
    seconds = clocks.seconds
    inside = sum(seconds[part] for part in {name for name, _, _ in PARTS})
    seconds["network, assessor"] = timing["score"] / 1000 - inside
    seconds["physics (beside it)"] = timing["physics"] / 1000
    report(headers, judged, settings, folder, clocks)
    return seconds


def roofline(one: Scorer, volumes: SeriesVolumes, seconds: float) -> dict[str, float]:
    """Return GFLOP and GB of one volume, the rate of a matrix product (GFLOP/s, one core or the GPU), and the share."""
    from qagate.work.reading import read_prompt

    volume = volumes.volumes[0]
    prompt = read_prompt(volume, load_rules(None))
    few = 16
    short = type(volume)(
        volume.voxels[:few], volume.geometry, volume.slices[:few], volume.tags, volume.findings, volume.index,
        volume.label, None if volume.valid is None else volume.valid[:few],
    )  # fmt: skip
    one.workers, workers = 1, one.workers
    with FlopCounterMode(display=False) as flops:
        one.hear(short, prompt, with_tiles=False)
    with Traffic() as traffic:
        one.hear(short, prompt, with_tiles=False)
    one.workers = workers
    scale = len(volume.voxels) / few
    a = torch.rand(1024, 1024, device=one.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rates = []
    for _ in range(8):
        begun = time.perf_counter()
        for _ in range(4):
            b = a @ a
        float(b[0, 0])  # a GPU has ended only now
        rates.append(4 * 2 * 1024**3 / (time.perf_counter() - begun) / 1e9)
    torch.set_num_threads(threads)
    gflop = flops.get_total_flops() * scale / 1e9
    return {
        "gflop": round(gflop, 1),
        "gbyte": round(traffic.bytes * scale / 1e9, 1),
        "matmul_gflop_per_s": round(max(rates), 1),
        "reached_gflop_per_s": round(gflop / seconds, 1),
        "share": round(gflop / seconds / max(rates), 3),
    }


def main() -> None:
    """Measure and print tables, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--report-slices", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    settings = Settings()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = series(folder / "ct", options.slices)
        one = Scorer.load(options.model, options.device, options.threads)
        print(f"{one.identity.name} {one.identity.version} on {one.device}, {one.workers} threads of "
              f"{len(os.sched_getaffinity(0))} cores; CT of {options.slices} x 512 x 512")  # fmt: skip
        rules = load_rules(None)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        whole, cpu, scores = [], [], []
        for _ in range(options.rounds):
            begun, begun_cpu = time.perf_counter(), time.process_time()
            volumes = read_series(paths)
            judged = assess(volumes, rules, one, settings)
            whole.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - begun_cpu)
            scores.append(judged[0].assessment.score)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if len(set(scores)) != 1:
            raise RuntimeError(f"the same volume must have one score, got {scores}")
        seconds = statistics.median(whole)
        print(f"files → verdict: {seconds:.2f} s ({statistics.median(cpu):.2f} s of CPU), "
              f"{(peak - before) / 1024:.0f} MB more than before, score {scores[0]:.2f}")  # fmt: skip
        parts = split(paths, one, settings, folder / "out")
        print("one thread, by part:")
        for name, value in parts.items():
            print(f"  {name:22} {value:7.3f} s")
        roof = roofline(one, volumes, parts["network, assessor"] + parts["preprocess"])
        print(f"roofline: {roof['gflop']} GFLOP, {roof['gbyte']} GB moved, {roof['reached_gflop_per_s']} GFLOP/s of "
              f"{roof['matmul_gflop_per_s']} that a matrix product reaches: {roof['share']:.0%}")  # fmt: skip
        many = series(folder / "many", options.report_slices, rows=64)
        headers: list[Dataset] = []
        judged = assess(read_series(many, headers=headers), rules, one, settings)
        gc.collect()
        gc.freeze()  # as a worker does when it has started
        times, cpu = [], []
        for _ in range(options.rounds):
            clocks, begun_cpu = Clocks(), time.process_time()
            report([essentials(header) for header in headers], judged, settings, folder / "reports", clocks)
            cpu.append(time.process_time() - begun_cpu)
            times.append(sum(value for name, value in clocks.seconds.items() if name.startswith("report")))
        last = ", ".join(f"{n[8:]} {v:.2f}" for n, v in clocks.seconds.items() if n.startswith("report"))
        print(f"report on {options.report_slices} slices: {statistics.median(times):.2f} s ({last}), "
              f"{statistics.median(cpu):.2f} s of CPU with the pictures")  # fmt: skip
        print(json.dumps({"seconds": whole, "cpu_seconds": cpu, "score": scores[0], "parts": parts, "roofline": roof,
                          "report_seconds": times, "peak_mb": (peak - before) / 1024}))  # fmt: skip


if __name__ == "__main__":
    main()
