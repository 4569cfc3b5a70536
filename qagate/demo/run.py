"""`qagate demo`: a scanner, the node and a PACS on this machine, and what happens between them."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from qagate.clock import Clock, SystemClock
from qagate.demo import scanner
from qagate.demo.lines import counts
from qagate.demo.node import NodeHandle, demo_settings, free_port
from qagate.demo.pacs import MiniPacs
from qagate.demo.progress import Progress, look, record
from qagate.demo.sample import Sample
from qagate.demo.samples import folder_samples, samples
from qagate.demo.speaker import Speaker
from qagate.settings import Settings

POLL_SECONDS = 0.25
SENDERS = 3  # scanners at one time
INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def run(
    make_node: Callable[[Settings], NodeHandle],
    *,
    once: bool = False,
    as_json: bool = False,
    folder: Path | None = None,
    data_dir: Path | None = None,
    web_port: int = 8080,
    timeout_seconds: float = 600.0,
    quiet_seconds: float = 4.0,
    make_samples: Callable[[Path], Sequence[Sample]] | None = None,
    out: TextIO | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Start mini PACS and node, send the samples (or the user's folder), and say what becomes of each.

    One line is printed as soon as a series has its answer and its documents are in the mini PACS. Then the page stays
    open until Ctrl-C (or `stop`); with `once` it returns 0 when every expected document is there, 1 when one is missing
    after timeout_seconds. as_json: one JSON object at the end instead of lines. data_dir: kept when given, else a
    folder that goes away at the end unless something is missing. Late images are sent when
    the answer without them is there. Raises QagateError when the node cannot start or the folder holds nothing.
    """
    out = out or sys.stdout
    clock = clock or SystemClock()
    stop = stop or threading.Event()
    say = Speaker(out, quiet=as_json)
    work = data_dir or Path(tempfile.mkdtemp(prefix="qagate-demo-"))
    work.mkdir(parents=True, exist_ok=True)
    code = 1
    try:
        say(f"qagate demo · working in {work}")
        chosen = _choose(folder, make_samples, work / "scans", say, clock)
        with MiniPacs(0, work / "pacs") as pacs:
            settings = demo_settings(
                work / "node",
                pacs_port=pacs.port,
                node_port=free_port(),
                web_port=_port_or_free(web_port),
                quiet_seconds=quiet_seconds,
            )
            pacs.commitment_peer = ("127.0.0.1", settings.node.port)
            node = make_node(settings)
            try:
                say.passing("starting the node ...")
                node.start()
                page = f"http://{settings.web.host}:{settings.web.port}"
                say(f"node on 127.0.0.1:{settings.node.port} · mini PACS on 127.0.0.1:{pacs.port} · page {page}")
                say("")
                progress = [Progress(sample) for sample in chosen]
                done = _follow(node, pacs, settings, progress, say, clock, stop, timeout_seconds)
                _close(node, pacs, progress, say, page, done=done, as_json=as_json)
                code = 0 if done else 1
                if not once and not as_json:
                    say(f"Open {page} to see them. Ctrl-C ends the demo.")
                    while not stop.wait(0.5):
                        pass
                    code = 0
            finally:
                say.passing("stopping the node ...")
                node.stop()
                say.passing("")
    except KeyboardInterrupt:
        say("\nended")
        code = INTERRUPTED if once else 0
    finally:
        if data_dir is None and code != 1:
            shutil.rmtree(work, ignore_errors=True)
        else:
            say(f"All objects and logs are in {work}")
    return code


def _choose(
    folder: Path | None,
    make_samples: Callable[[Path], Sequence[Sample]] | None,
    scans: Path,
    say: Speaker,
    clock: Clock,
) -> Sequence[Sample]:
    if folder is not None:
        say.passing(f"reading {folder} ...")
        return folder_samples(folder)
    say.passing("making the scans ...")
    if make_samples is not None:
        return make_samples(scans)
    left_out: list[str] = []
    chosen = samples(scans, seed=clock.now().strftime("%Y%m%d%H%M%S%f"), missing=left_out)
    for sentence in left_out:
        say(sentence)
    return chosen


def _follow(
    node: NodeHandle,
    pacs: MiniPacs,
    settings: Settings,
    progress: list[Progress],
    say: Speaker,
    clock: Clock,
    stop: threading.Event,
    timeout_seconds: float,
) -> bool:
    """Send everything and print each series when it is settled; return whether all are."""
    deadline = clock.monotonic_seconds() + timeout_seconds
    pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="scanner")
    try:
        for item in progress:
            item.sending = pool.submit(
                scanner.send, item.sample, "127.0.0.1", settings.node.port, None, settings.node.ae_title,
                late_seconds=timeout_seconds, wait=item.answered.wait,
            )  # fmt: skip
        while clock.monotonic_seconds() < deadline and not stop.is_set():
            known = {status["series_instance_uid"]: status for status in node.series()}
            settled = [look(item, known.get(item.sample.series_instance_uid), pacs, say) for item in progress]
            if all(settled):
                return True
            waiting = [item for item, ready in zip(progress, settled, strict=True) if not ready]
            say.passing(f"… {len(waiting)} of {len(progress)} to come: {waiting[0].sample.description}")
            stop.wait(POLL_SECONDS)
        return False
    finally:
        for item in progress:
            item.answered.set()  # nobody waits any longer
        pool.shutdown(cancel_futures=True)


def _close(
    node: NodeHandle,
    pacs: MiniPacs,
    progress: list[Progress],
    say: Speaker,
    page: str,
    *,
    done: bool,
    as_json: bool,
) -> None:
    """Print the summary, or the JSON."""
    known = {status["series_instance_uid"]: status for status in node.series()}
    own = [known[i.sample.series_instance_uid] for i in progress if i.sample.series_instance_uid in known]
    documents = sum(stored.kind != "IMAGE" for stored in pacs.objects())
    say("")
    say(f"{len(progress)} series: {counts(own)} · {documents} documents in the mini PACS")
    for item in [] if done else progress:
        if item.missing:
            say(f"missing: {item.sample.description}: {item.missing}")
    if as_json:
        json.dump(record(progress, known, pacs, page, complete=done), say.out, indent=1, ensure_ascii=False)
        print(file=say.out, flush=True)


def _port_or_free(port: int) -> int:
    """Return the port if nobody listens on it, else a free one; 0 always means a free one."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port
