"""Objects whose data set says otherwise than the request that brings them. Source: PS3.4 Table B.2-1."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage
from pynetdicom.dsutils import encode

from qagate.domain.series import Announced
from qagate.receive.spool import Spool
from tests.unit.receive.scanner import associate, found_in, make_object, receiving
from tests.unit.receive.test_server import send_raw


def encoded(**more: Any) -> bytes:
    return encode(make_object(**more), False, True) or b""


@pytest.mark.parametrize(
    ("sop_class", "uid", "announced"),
    [
        (CTImageStorage, "1.2.3.1", None),
        (MRImageStorage, "1.2.3.1", Announced(MRImageStorage, "1.2.3.1")),
        (CTImageStorage, "9.9", Announced(CTImageStorage, "9.9")),
        (MRImageStorage, "9.9", Announced(MRImageStorage, "9.9")),
    ],
)
def test_what_does_not_match_its_request_is_kept_with_a_warning_and_under_both_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sop_class: str, uid: str, announced: Announced | None
) -> None:
    """It was answered with Success, and nobody knew any more what its sender calls it."""
    with caplog.at_level(logging.WARNING), receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, sop_class)
        assert send_raw(association, encoded(), uid) == (0x0000 if announced is None else 0xB007)
        association.release()
        (closed,) = told.closed()
        (instance,) = told.instances
    assert not closed.aborted
    assert (instance.sop_class_uid, instance.sop_instance_uid) == (CTImageStorage, "1.2.3.1")
    assert instance.announced == announced
    (adopted,) = found_in(Spool(tmp_path, 0))
    assert adopted.announced == announced, "its file alone says so, too"
    assert adopted.sha256 == instance.sha256
    said = [record.message for record in caplog.records if "another" in record.message]
    assert len(said) == (announced is not None)
    assert all("SCANNER" in words and uid in words and "1.2.3.1" in words for words in said)


def test_what_the_data_set_does_not_say_is_no_contradiction(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        assert send_raw(association, b"bytes that only their maker understands\0", "1.2.3.4") == 0x0000
        association.release()
        (instance,) = told.instances
    assert instance.announced is None


def test_the_same_bytes_under_two_announced_uids_are_both_told(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        assert [send_raw(association, encoded(), uid) for uid in ("9.1", "9.2")] == [0xB007, 0xB007]
        association.release()
    assert [one.announced for one in told.instances] == [
        Announced(CTImageStorage, "9.1"),
        Announced(CTImageStorage, "9.2"),
    ]
    assert told.instances[0].path == told.instances[1].path
