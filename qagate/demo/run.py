"""`qagate demo`: a scanner, the node and a PACS on this machine, and what happens between them."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from qagate.clock import Clock, SystemClock
from qagate.demo import scanner
from qagate.demo.lines import counts, series_line
from qagate.demo.node import NodeHandle, SeriesStatus, demo_settings, free_port
from qagate.demo.pacs import MiniPacs
from qagate.demo.sample import Expect, Sample, Way
from qagate.demo.samples import folder_samples, samples
from qagate.settings import Settings

SCHEMA = "qagate.demo/1"
POLL_SECONDS = 0.25
SENDERS = 3  # scanners at one time
INTERRUPTED = 130  # as shells say it: 128 + SIGINT
_CLEAR = "\r\x1b[K"
_UNDER_WAY = {"receiving": "not yet complete", "queued": "not yet scored", "scored": "not yet delivered"}


@dataclass(slots=True)
class _Progress:
    """Where one sample stands. answered: its first answer is there; late images wait for it."""

    sample: Sample
    sending: Future[scanner.Sending] | None = None
    printed_revision: int = 0
    printed: str = ""
    seconds: float | None = None
    missing: str = "nothing was heard of it"
    answered: threading.Event = field(default_factory=threading.Event)


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
    say = _Speaker(out, quiet=as_json)
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
                progress = [_Progress(sample) for sample in chosen]
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
    say: _Speaker,
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


class _Speaker:
    """Prints lines at once, or nothing at all. colour: whether `out` is a terminal."""

    def __init__(self, out: TextIO, *, quiet: bool) -> None:
        self.out, self.quiet = out, quiet
        self.colour = not quiet and out.isatty()

    def __call__(self, line: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(f"{_CLEAR}{line}" if self.colour else line, file=self.out, flush=True)

    def passing(self, text: str) -> None:
        """Show a text that the next line takes the place of; only on a terminal."""
        if self.colour:
            print(f"{_CLEAR}{text}", end="", file=self.out, flush=True)


def _follow(
    node: NodeHandle,
    pacs: MiniPacs,
    settings: Settings,
    progress: list[_Progress],
    say: _Speaker,
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
            settled = [_look(item, known.get(item.sample.series_instance_uid), pacs, say) for item in progress]
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


def _look(item: _Progress, status: SeriesStatus | None, pacs: MiniPacs, say: _Speaker) -> bool:
    """Print the sample's line when there is news; return whether nothing more is expected of it."""
    sending = item.sending.result() if item.sending is not None and _finished(item.sending) else None
    if status is None:
        item.missing = _why_unheard(item)
        return False
    state = status["state"]
    revision = status.get("revision", 1)
    here = {stored.sop_instance_uid: stored for stored in pacs.objects()}
    documents = status.get("documents") or []
    arrived = [here[d["sop_instance_uid"]] for d in documents if d["sop_instance_uid"] in here]
    if state in ("receiving", "queued", "scored"):
        item.missing = {"receiving": "not yet complete", "queued": "not yet scored", "scored": "not yet delivered"}[
            state
        ]
        return False
    if state == "delivered" and len(arrived) < len(documents):
        lost = [d["kind"] for d in documents if d["sop_instance_uid"] not in here]
        item.missing = f"{' '.join(sorted(lost))} not in the mini PACS"
        return False
    if revision > item.printed_revision or not item.printed:
        last = sending.last_image_at if sending else 0.0
        newest = max((stored.at for stored in arrived), default=0.0)
        item.seconds = newest - last if last and newest > last else None
        kinds = tuple(sorted({d["kind"] for d in documents}, key=("SR", "SC", "KO").index))
        item.printed = series_line(item.sample, status, seconds=item.seconds, kinds=kinds, colour=say.colour)
        item.printed_revision = revision
        item.answered.set()
        say(item.printed)
    item.missing = _what_is_wrong(item, status, arrived_kinds={stored.kind for stored in arrived})
    return not item.missing and sending is not None


def _finished(future: Future[scanner.Sending]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _why_unheard(item: _Progress) -> str:
    future = item.sending
    if future is not None and future.done() and not future.cancelled():
        error = future.exception()
        if error is not None:
            return f"it could not be sent: {error}"
        refused = {f"0x{s:04X}" for s in future.result().statuses if s}
        if refused:
            return f"the node answered {', '.join(sorted(refused))}"
    return "nothing was heard of it"


def _what_is_wrong(item: _Progress, status: SeriesStatus, arrived_kinds: set[str]) -> str:
    """Return what is still missing for this sample, in words; empty when all is as expected."""
    sample, state = item.sample, status["state"]
    if state == "failed":
        return "the node failed on it: " + (status.get("reasons") or ["no reason given"])[0]
    if sample.expect is Expect.EXCLUDED and state != "excluded":
        return f"expected to be excluded, got {state}"
    if sample.expect is Expect.DOCUMENTS and state == "excluded":
        return "expected documents, but it was excluded: " + (status.get("reasons") or ["no rule given"])[0]
    if sample.expect is Expect.DOCUMENTS and "SR" not in arrived_kinds:
        return "no SR in the mini PACS"
    if sample.send is Way.LATE and status.get("revision", 1) < 2:
        return "no second revision for its late images"
    return ""


def _close(
    node: NodeHandle,
    pacs: MiniPacs,
    progress: list[_Progress],
    say: _Speaker,
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
        json.dump(_record(progress, known, pacs, page, complete=done), say.out, indent=1, ensure_ascii=False)
        print(file=say.out, flush=True)


def _record(
    progress: list[_Progress], known: dict[str, SeriesStatus], pacs: MiniPacs, page: str, *, complete: bool
) -> dict[str, Any]:
    held = {stored.sop_instance_uid for stored in pacs.objects()}
    rows = []
    for item in progress:
        status = known.get(item.sample.series_instance_uid)
        row: dict[str, Any] = {
            "name": item.sample.name,
            "description": item.sample.description,
            "sent": item.sample.send.value,
            "expectation": item.sample.expectation,
            "series_instance_uid": item.sample.series_instance_uid,
            "state": status["state"] if status else None,
            "revision": status.get("revision", 1) if status else None,
            "verdict": status.get("verdict") if status else None,
            "score": status.get("score") if status else None,
            "reasons": list(status.get("reasons") or []) if status else [],
            "documents": [dict(d) | {"in_pacs": d["sop_instance_uid"] in held} for d in (status.get("documents") or [])]
            if status
            else [],
            "seconds_after_last_image": None if item.seconds is None else round(item.seconds, 2),
            "missing": None if complete else item.missing or None,
        }
        rows.append(row)
    return {"schema": SCHEMA, "complete": complete, "page": page, "series": rows}


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
