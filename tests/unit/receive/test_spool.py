from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from qagate.domain.series import Announced, StoredInstance
from qagate.errors import SpoolError, SpoolFull
from qagate.receive import leaving, part10
from qagate.receive import spool as module
from qagate.receive.leaving import remove
from qagate.receive.spool import Spool
from tests.unit.receive.scanner import found_in, make_object, tidied
from tests.unit.receive.test_header import EXPLICIT, encoded

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def store(spool: Spool, data_set: bytes, **more: Any) -> StoredInstance:
    arguments = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": "1.2.3.99",
        "transfer_syntax_uid": EXPLICIT,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "QAGATE",
        "received_at": NOON,
        "association_id": "a1",
        **more,
    }
    return spool.store(data_set, **arguments)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 0)


def test_stores_the_bytes_untouched(spool: Spool) -> None:
    data = encoded(make_object())
    stored = store(spool, data)
    assert files(spool.root) == ["1.2.3/1.2.3.1.dcm"]
    assert stored.path.read_bytes().endswith(data)
    assert stored == StoredInstance(
        path=spool.root / "1.2.3" / "1.2.3.1.dcm",
        sop_instance_uid="1.2.3.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid=EXPLICIT,
        series_instance_uid="1.2.3",
        study_instance_uid="1.2",
        modality="CT",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        calling_ae_title="SCANNER",
        received_at=NOON,
        association_id="a1",
        arrival="new",
        announced=Announced("1.2.840.10008.5.1.4.1.1.2", "1.2.3.99"),
    )
    assert dcmread(stored.path).PatientID == "SECRET42"


def test_everything_is_rebuilt_from_the_files_alone(spool: Spool) -> None:
    told = [
        store(spool, encoded(make_object("1.2.3.1"))),
        store(spool, encoded(make_object("1.2.3.1", InstanceNumber=2)), received_at=NOON + timedelta(microseconds=1)),
        store(spool, encoded(make_object("1.2.3.2")), calling_ae_title="A B"),
        store(spool, encoded(make_object("1.3.3.1", "1.3.3")), transfer_syntax_uid="1.2.840.10008.1.2.4.70"),
        store(spool, b"not a data set at all"),
    ]
    told = [dataclasses.replace(instance, association_id="") for instance in told]
    assert sorted(found_in(Spool(spool.root, 0)), key=lambda i: str(i.path)) == sorted(told, key=lambda i: str(i.path))
    known = {str(told[0].path), str(told[4].path)}
    assert len(found_in(spool, known)) == 3


def test_adopting_leaves_alone_what_is_not_dicom(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    store(spool, encoded(make_object()))
    (spool.root / "1.2.3" / "zero.dcm").touch()
    (spool.root / "1.2.3" / "text.dcm").write_text("hello")
    (spool.root / "1.2.3" / ".x.part").write_text("half")
    (spool.root / "note.txt").write_text("hello")
    assert [instance.sop_instance_uid for instance in found_in(spool)] == ["1.2.3.1"]
    assert len(caplog.records) == 2


def test_adopting_files_that_others_put_there(spool: Spool) -> None:
    (spool.root / "1.2.3").mkdir()
    make_object().save_as(spool.root / "1.2.3" / "1.2.3.1.dcm", enforce_file_format=True)
    (adopted,) = found_in(spool)
    assert adopted.sha256 == hashlib.sha256(encoded(make_object())).hexdigest()
    assert store(spool, encoded(make_object())).arrival == "repeated"


def test_the_same_again_is_not_written_again(spool: Spool) -> None:
    first = store(spool, encoded(make_object()))
    before = first.path.stat()
    again = store(spool, encoded(make_object()), received_at=NOON + timedelta(hours=1))
    assert again.arrival == "repeated"
    assert again.path == first.path
    after = first.path.stat()
    assert after.st_ino == before.st_ino
    assert after.st_mtime_ns - before.st_mtime_ns == 3600 * 10**9  # when it came last: it is kept from then on
    assert len(files(spool.root)) == 1


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1] + b"!", lambda whole: whole[:-9], lambda whole: b""])
def test_what_is_damaged_on_the_disk_and_comes_again_is_whole_again(
    spool: Spool, damage: Callable[[bytes], bytes]
) -> None:
    """It was answered with Success by what its file said of itself, and the bytes that came were dropped."""
    data = encoded(make_object())
    stored = store(spool, data)
    whole = stored.path.read_bytes()
    stored.path.write_bytes(damage(whole))
    again = store(spool, data, received_at=NOON + timedelta(hours=1))
    assert again.path.read_bytes() == whole
    assert [one.sha256 for one in found_in(spool) if one.path == again.path] == [stored.sha256]
    assert not [name for name in files(spool.root) if not name.endswith(".dcm")]


def test_what_lies_on_a_bad_sector_and_comes_again_is_taken(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was refused for ever: what was there could not be looked at."""
    data = encoded(make_object())
    stored = store(spool, data)
    decode = part10.decode

    def bad(stream: Any) -> Any:
        if Path(stream.name) == stored.path:
            raise OSError(errno.EIO, "Input/output error")
        return decode(stream)

    monkeypatch.setattr(part10, "decode", bad)
    again = store(spool, data)
    assert again.path != stored.path
    assert again.path.read_bytes().endswith(data)


def test_other_bytes_under_the_same_uid_are_kept_beside(spool: Spool) -> None:
    first = store(spool, encoded(make_object()))
    other_bytes = encoded(make_object(InstanceNumber=7))
    other = store(spool, other_bytes)
    assert other.arrival == "conflicting"
    assert other.path.name == f"1.2.3.1.{hashlib.sha256(other_bytes).hexdigest()[:12]}.dcm"
    assert first.path.read_bytes() != other.path.read_bytes()
    assert store(spool, other_bytes).arrival == "repeated"
    assert store(spool, encoded(make_object(InstanceNumber=8))).arrival == "conflicting"
    assert len(files(spool.root)) == 3


def test_a_uid_that_looks_like_a_conflict_is_none(spool: Spool) -> None:
    # the last component has twelve digits, as the digest in the name of a conflicting copy
    store(spool, encoded(make_object("1.2.123456789012")))
    assert [instance.arrival for instance in found_in(spool)] == ["new"]


@pytest.mark.parametrize(
    "uid", ["../../x", "/etc/passwd", "..", ".", "1.2/3", "1.2.3\\..\\x", "1" * 65, "", "CON", "1..2", "1.2.", "é"]
)
def test_uids_never_become_paths_unchecked(spool: Spool, uid: str) -> None:
    stored = store(spool, b"\0\0", sop_instance_uid=uid)
    assert stored.path.resolve().is_relative_to(spool.root.resolve())
    assert stored.path.parent.parent == spool.root
    assert stored.path.name.startswith("x-")
    assert [i.sop_instance_uid for i in found_in(spool)] == [uid.strip()]


def test_what_the_data_set_does_not_say_the_request_says(spool: Spool) -> None:
    stored = store(spool, b"\0" * 40)
    assert (stored.sop_instance_uid, stored.sop_class_uid) == ("1.2.3.99", "1.2.840.10008.5.1.4.1.1.2")
    assert (stored.series_instance_uid, stored.modality, stored.study_instance_uid) == ("", "", "")
    assert store(spool, b"\0" * 41, sop_instance_uid="1.2.3.98").path.parent == stored.path.parent


def test_below_the_reserve_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        f_bavail, f_frsize = 10, 4096  # 40960 bytes

    spool = Spool(tmp_path, 40_000)
    monkeypatch.setattr(module.os, "statvfs", lambda path: Disk)
    assert spool.free_bytes() == 960  # 40960 - 40000
    store(spool, encoded(make_object()))
    with pytest.raises(SpoolFull, match="needs 961 bytes above its reserve, got 960"):
        store(spool, bytes(961))
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("call", ["writev", "fsync", "link", "utime"])
@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, SpoolFull), (errno.EDQUOT, SpoolFull), (errno.EIO, SpoolError)]
)
def test_a_fault_half_way_leaves_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, call: str, number: int, kind: type[SpoolError]
) -> None:
    store(spool, encoded(make_object("1.2.3.2")))

    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(module.os, call, fail)
        with pytest.raises(kind) as caught:
            store(spool, encoded(make_object()))
    assert type(caught.value) is kind
    assert files(spool.root) == ["1.2.3/1.2.3.2.dcm"]
    assert store(spool, encoded(make_object())).arrival == "new"


def test_short_writes_are_continued(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.writev
    monkeypatch.setattr(module.os, "writev", lambda descriptor, views: real(descriptor, [views[0][:7]]))
    data = encoded(make_object())
    assert store(spool, data).path.read_bytes().endswith(data)


def test_order_of_what_makes_it_durable(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            target = arguments[0]
            kind = "folder" if isinstance(target, int) and os.path.isdir(f"/proc/self/fd/{target}") else "file"
            done.append(f"{name} {kind}" if name == "fsync" else name)
            return real(*arguments, **options)

        monkeypatch.setattr(module.os, name, call)

    for name in ("fsync", "link", "writev"):
        watch(name)
    store(spool, encoded(make_object()))
    # the new folder's entry in the root first, then the file, its name, and the folder
    assert done == ["fsync folder", "writev", "fsync file", "link", "fsync folder"]
    done.clear()
    store(spool, encoded(make_object("1.2.3.2")))
    assert done == ["writev", "fsync file", "link", "fsync folder"]


def test_a_folder_that_retention_removed_is_made_again(spool: Spool) -> None:
    store(spool, encoded(make_object())).path.unlink()
    (spool.root / "1.2.3").rmdir()
    assert store(spool, encoded(make_object())).path.exists()


def test_spool_folder_gone(spool: Spool) -> None:
    spool.root.rmdir()
    with pytest.raises(SpoolError, match="must be there"):
        store(spool, encoded(make_object()))


def test_spool_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="cannot be made"):
        Spool(tmp_path / "file" / "spool", 0)


def test_many_writers_of_the_same_object(spool: Spool) -> None:
    data = [encoded(make_object(InstanceNumber=number)) for number in (1, 2)]
    results: list[StoredInstance] = []
    threads = [threading.Thread(target=lambda i=i: results.append(store(spool, data[i % 2]))) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrivals = sorted(result.arrival for result in results)
    assert arrivals == ["conflicting", "new"] + ["repeated"] * 14
    assert len(files(spool.root)) == 2
    for result in results:
        assert hashlib.sha256(data[0]).hexdigest() == result.sha256 or result.path.read_bytes().endswith(data[1])


def test_janitor_removes_what_killed_writers_left(spool: Spool) -> None:
    store(spool, encoded(make_object()))
    (spool.root / "1.2.3" / ".dead.part").write_bytes(b"half")
    assert tidied(spool, 3600) == 0
    assert tidied(spool, -1) == 1
    assert files(spool.root) == ["1.2.3/1.2.3.1.dcm"]


def test_what_was_set_aside_by_one_that_died_has_its_name_again(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(spool, encoded(make_object())).path

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(os, "link", die)
        with pytest.raises(Killed):
            remove(path, newer_than=NOON - timedelta(days=1))  # it came again at that moment, and stays
    assert found_in(spool) == []  # somebody may be at it
    tidied(spool, -1)
    monkeypatch.setattr(leaving, "_ASIDE_SECONDS", -1)
    assert [one.path for one in found_in(spool)] == [path]
    assert files(spool.root) == ["1.2.3/1.2.3.1.dcm"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_really_is_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(small_disk / "spool", 0)
    stored: list[StoredInstance] = []

    def fill() -> None:
        for number in range(100):
            stored.append(store(spool, bytes(500_000), sop_instance_uid=f"1.2.3.{number}"))

    with pytest.raises(SpoolFull):
        fill()
    assert 10 <= len(stored) <= 16  # 8 MiB / 0.5 MB
    assert len(files(spool.root)) == len(stored)

    # another process may fill the disk after we have looked: the kernel says so in the middle of writing
    monkeypatch.setattr(Spool, "free_bytes", lambda self: 1 << 40)
    with pytest.raises(SpoolFull, match="disk is full"):
        store(spool, bytes(2_000_000), sop_instance_uid="1.2.4")
    assert len(files(spool.root)) == len(stored)
    stored[0].path.unlink()
    assert store(spool, bytes(400_000), sop_instance_uid="1.2.5").arrival == "new"
    assert len(found_in(spool)) == len(stored)
