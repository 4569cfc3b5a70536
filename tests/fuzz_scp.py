"""Fuzzing of the receiver: mutated PDUs and data sets, and an account of what is left afterwards.

`python -m tests.fuzz_scp --inputs 10000 --seed 1` runs a receiver in this process, sends it what a broken or hostile
peer might send, and fails when it crashes, hangs, keeps a thread, a socket or a file, or serves a good peer no more.
An input is one mutated PDU or one mutated data set; several of them may go over one connection.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.data import get_testdata_file
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from qagate.domain.series import StoredInstance
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node
from tests.unit.receive.scanner import associate, make_object

HANG_SECONDS = 60.0
"""No connection may stay open longer when its peer has said all it has to say."""

RELEASE = b"\5\0\0\0\0\4\0\0\0\0"
ABORT = b"\7\0\0\0\0\4\0\0\0\0"
VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
SYNTAXES = (str(ExplicitVRLittleEndian), "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
INTERESTING = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
LENGTHS = (0, 1, 2, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


@dataclass
class Account:
    """What was sent, and what went wrong."""

    inputs: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the account in lines."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.inputs.items()))
        answers = ", ".join(f"{count} {kind}" for kind, count in sorted(self.answers.items()))
        lines = [f"{self.inputs.total()} inputs ({kinds}) over {self.connections} connections; answers: {answers}"]
        return "\n".join(lines + (self.faults or ["no crash, no hang, nothing left"]))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with a few faults in it."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not broken:
            break
        at = rng.randrange(len(broken))
        if rng.random() < 0.5:
            at = min(at, rng.randrange(64))  # headers are where lengths and types are
        match rng.randrange(8):
            case 0:
                broken[at] ^= 1 << rng.randrange(8)
            case 1:
                broken[at] = rng.choice(INTERESTING)
            case 2:
                del broken[at : at + rng.choice((1, 2, 4, 16))]
            case 3:
                broken[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 300)))
            case 4:
                broken[at : at + 2] = struct.pack(rng.choice("<>") + "H", rng.choice(LENGTHS) & 0xFFFF)
            case 5:
                broken[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(LENGTHS))
            case 6:
                del broken[at:]
            case _:
                broken[at:at] = broken[at : at + rng.choice((4, 8, 64))]
    return bytes(broken)


def association_request() -> bytes:
    """Return an A-ASSOCIATE-RQ with storage, verification and storage commitment."""
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = "SCANNER", "QAGATE"
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = "1.2.3.4"
    request.user_information = [length, implementation]
    contexts = [build_context(CTImageStorage, syntax) for syntax in SYNTAXES]
    contexts += [build_context(VERIFICATION, SYNTAXES[1]), build_context(COMMITMENT, SYNTAXES[1])]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    request.presentation_context_definition_list = contexts
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def command(kind: int, *, sop_class: str, sop_instance: str = "1.2.3.4", data_set: bool = True) -> bytes:
    """Return a command set."""

    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    body = _element(0x0002, uid(sop_class)) + _element(0x0100, struct.pack("<H", kind)) + _element(0x0110, b"\7\0")
    body += _element(0x0700, b"\0\0") + _element(0x0800, b"\0\0" if data_set else b"\1\1")
    body += _element(0x1000, uid(sop_instance)) + (_element(0x1002, b"\1\0") if kind == 0x0100 else b"")
    return _element(0, struct.pack("<I", len(body))) + body


def p_data(context: int, control: int, fragment: bytes, size: int = 16000) -> Iterator[bytes]:
    """Yield P-DATA-TF PDUs for one command or data set; `control` is 1 for a command."""
    pieces = [fragment[i : i + size] for i in range(0, len(fragment), size)] or [b""]
    for number, piece in enumerate(pieces):
        last = 2 if number == len(pieces) - 1 else 0
        item = struct.pack(">IBB", len(piece) + 2, context, control | last) + piece
        yield struct.pack(">BBI", 4, 0, len(item)) + item


def data_sets() -> list[bytes]:
    """Return small data sets in several encodings."""
    small = make_object(PixelData=bytes(512), BitsAllocated=16, Rows=16, Columns=16, ImageType=["ORIGINAL", "PRIMARY"])
    found = [
        encode(small, implicit, little) or b"" for implicit, little in ((True, True), (False, True), (False, False))
    ]
    for name in ("CT_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "reportsi.dcm", "image_dfl.dcm", "nested_priv_SQ.dcm"):
        path = get_testdata_file(name, download=False)
        if isinstance(path, str):
            found.append(Path(path).read_bytes()[132:][:20_000])
    return found


class Fuzzer:
    """Sends inputs to one port."""

    def __init__(self, port: int, seed: int, account: Account) -> None:
        self._port = port
        self._seed = seed
        self._account = account
        self._lock = threading.Lock()
        self._request = association_request()
        self._data_sets = data_sets()

    def connection(self, number: int) -> int:
        """Send the inputs of one connection; returns how many."""
        rng = random.Random(f"{self._seed}/{number}")
        conversation = rng.choice((self._requests, self._messages, self._messages, self._objects, self._objects))
        kind = conversation.__name__.strip("_")
        pdus, inputs = conversation(rng)
        answer = self._talk(pdus, rng, number)
        with self._lock:
            self._account.inputs[kind] += inputs
            self._account.connections += 1
            self._account.answers[answer] += 1
        return inputs

    def _requests(self, rng: random.Random) -> tuple[list[bytes], int]:
        if rng.random() < 0.1:
            return [rng.randbytes(rng.choice((1, 5, 6, 20, 400)))], 1
        return [mutated(self._request, rng), RELEASE], 1

    def _messages(self, rng: random.Random) -> tuple[list[bytes], int]:
        """Return an association whose PDUs are broken, repeated, left out or out of order."""
        pdus: list[bytes] = []
        for _ in range(rng.randrange(1, 4)):
            pdus += rng.choice((self._store, self._echo, self._report))(rng)
        broken = 0
        for index in range(len(pdus)):
            if rng.random() < 0.4 or (index == len(pdus) - 1 and not broken):
                pdus[index] = mutated(pdus[index], rng)
                broken += 1
        if rng.random() < 0.2:
            rng.shuffle(pdus)
        if rng.random() < 0.1:
            pdus.insert(rng.randrange(len(pdus)), rng.choice((RELEASE, ABORT, self._request)))
        return [self._request, *pdus, *rng.choice(([RELEASE], [ABORT], [], [RELEASE, ABORT]))], max(broken, 1)

    def _objects(self, rng: random.Random) -> tuple[list[bytes], int]:
        """Return an association in order whose data sets are broken."""
        count = rng.randrange(1, 9)
        pdus = [pdu for _ in range(count) for pdu in self._store(rng, broken=True)]
        return [self._request, *pdus, RELEASE], count

    def _store(self, rng: random.Random, *, broken: bool = False) -> list[bytes]:
        data_set = rng.choice(self._data_sets)
        if broken:
            data_set = mutated(data_set, rng)
        context = rng.choice((1, 3, 5, 7))
        head = command(1, sop_class=CTImageStorage, sop_instance=f"1.2.{rng.randrange(1000)}")
        return [*p_data(context, 1, head), *p_data(context, 0, data_set, rng.choice((100, 4000, 16000)))]

    def _echo(self, rng: random.Random) -> list[bytes]:
        return list(p_data(9, 1, command(0x30, sop_class=VERIFICATION, data_set=False)))

    def _report(self, rng: random.Random) -> list[bytes]:
        head = command(0x0100, sop_class=COMMITMENT, sop_instance="1.2.840.10008.1.20.1.1")
        return [*p_data(11, 1, head), *p_data(11, 0, mutated(self._data_sets[0], rng))]

    def _talk(self, pdus: list[bytes], rng: random.Random, number: int) -> str:
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self._port), HANG_SECONDS) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answer = self._request_first(connection, pdus, rng)
                stream = b"".join(pdus)
                with _hanging_up_is_fine():
                    if rng.random() < 0.1:  # cut anywhere
                        stream = stream[: rng.randrange(len(stream) + 1)]
                    if rng.random() < 0.1:
                        half = rng.randrange(len(stream) + 1)
                        connection.sendall(stream[:half])
                        time.sleep(0.001)
                        stream = stream[half:]
                    connection.sendall(stream)
                    connection.shutdown(socket.SHUT_WR)
                    end = time.monotonic() + HANG_SECONDS
                    while piece := connection.recv(1 << 16):
                        answer = answer or piece
                        connection.settimeout(max(end - time.monotonic(), 0.001))
        except TimeoutError:
            with self._lock:
                self._account.faults.append(f"connection {number} hung for {HANG_SECONDS:.0f} s")
        except OSError:
            pass  # it hung up, which is its right
        kinds = {2: "accepted", 3: "rejected", 7: "aborted"}
        return kinds.get(answer[0], "other") if answer else "closed"

    def _request_first(self, connection: socket.socket, pdus: list[bytes], rng: random.Random) -> bytes:
        """Take a good association request off `pdus`, and wait for the answer; some peers do not."""
        if pdus[0] != self._request or rng.random() < 0.1:
            return b""
        connection.sendall(pdus.pop(0))
        return connection.recv(1 << 16)


@contextlib.contextmanager
def _hanging_up_is_fine() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise
    except OSError:
        pass


class _Complaints(logging.Handler):
    """Collects what must not be logged: that something unforeseen happened in a thread of the receiver."""

    def __init__(self, account: Account) -> None:
        super().__init__(logging.ERROR)
        self._account = account

    def emit(self, record: logging.LogRecord) -> None:
        """Note a fault that was caught at the top of a loop."""
        ours = record.name.startswith("qagate") and record.exc_info
        theirs = "Exception in" in record.getMessage()
        if (ours or theirs) and len(self._account.faults) < 20:
            error = record.exc_info[1] if record.exc_info else None
            self._account.faults.append(f"{record.name}: {record.getMessage()}: {error!r}")


def _left() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def fuzz(
    inputs: int, seed: int, *, seconds: float = float("inf"), senders: int = 8, say: Callable[[str], None]
) -> Account:
    """Send as many inputs, or as many as `seconds` allow, and return the account."""
    account = Account()
    complaints = _Complaints(account)
    logging.getLogger().addHandler(complaints)
    hook = threading.excepthook
    threading.excepthook = lambda args: account.faults.append(f"{args.thread}: {args.exc_value!r}"[:300])
    memory = Path("/dev/shm")  # synchronising is not what is looked at here
    before = _left()
    try:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            _run(Path(folder), inputs, seed, seconds, senders, account, say)
            left = [path.name for path in Path(folder).rglob("*") if path.is_file()]
        if left:
            account.faults.append(f"files are left: {left[:5]}")
        end = time.monotonic() + 15
        while time.monotonic() < end and any(now > then for now, then in zip(_left(), before, strict=True)):
            time.sleep(0.1)
        after = _left()
        if after[0] > before[0] or after[1] > before[1]:
            account.faults.append(f"descriptors and threads must be {before} again, got {after}")
    finally:
        threading.excepthook = hook
        logging.getLogger().removeHandler(complaints)
    return account


def _run(
    folder: Path, inputs: int, seed: int, seconds: float, senders: int, account: Account, say: Callable[[str], None]
) -> None:
    def forget(instance: StoredInstance) -> None:
        instance.path.unlink(missing_ok=True)

    node = Node(
        host="127.0.0.1",
        accept_unknown_peers=True,
        acse_timeout_seconds=5,
        network_timeout_seconds=5,
        max_associations_per_minute=0,  # else most of them would never be looked at
    )
    receiver = Receiver(
        node.model_copy(update={"port": 0}),
        Spool(folder, 0),
        forget,
        lambda event: None,
        on_commitment=lambda information, peer: None,
    )
    end = time.monotonic() + seconds
    with receiver, ThreadPoolExecutor(senders) as pool:
        fuzzer = Fuzzer(receiver.port, seed, account)
        number = sent = 0
        while sent < inputs and time.monotonic() < end and not account.faults:
            batch = range(number, number + min(20 * senders, max(1, (inputs - sent) // 2)))
            number = batch.stop
            sent += sum(pool.map(fuzzer.connection, batch))
            if refusal := _good_peer(receiver):
                account.faults.append(f"a good peer was not served after {sent} inputs: {refusal}")
            say(f"{sent} inputs")
        deadline = time.monotonic() + 15
        while receiver.open_associations and time.monotonic() < deadline:
            time.sleep(0.05)
        if receiver.open_associations:
            account.faults.append(f"{receiver.open_associations} associations stay open")


def _good_peer(receiver: Receiver) -> str:
    """Send one object as a peer that does everything right; returns what went wrong, empty when nothing did."""
    good = make_object()
    begun = time.monotonic()
    association = associate(
        receiver.port, (str(good.SOPClassUID), str(good.file_meta.TransferSyntaxUID)), calling="GOOD"
    )
    if association.is_established:
        status = association.send_c_store(good).get("Status", -1)
        association.release()
        return "" if status == 0x0000 else f"its object was answered with 0x{status:04X}"
    how = "rejected" if association.is_rejected else "aborted" if association.is_aborted else "not answered"
    return (
        f"its association was {how} after {time.monotonic() - begun:.1f} s while {receiver.open_associations} were "
        f"open and {threading.active_count()} threads ran"
    )


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that time")
    arguments = parser.parse_args()
    logging.getLogger("pynetdicom").addHandler(logging.NullHandler())
    logging.basicConfig(handlers=[logging.NullHandler()])
    warnings.simplefilter("ignore")  # pydicom says of each bad value that it is bad
    begun = time.monotonic()
    account = fuzz(
        arguments.inputs,
        arguments.seed,
        seconds=arguments.seconds,
        say=lambda line: print(f"\r{line}", end="", file=sys.stderr, flush=True),
    )
    print(f"\n{account}\nseed {arguments.seed}, {time.monotonic() - begun:.0f} s")
    return 1 if account.faults else 0


if __name__ == "__main__":
    sys.exit(main())
