from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from qagate.assemble.series import read_series
from qagate.demo.write import write_series
from qagate.errors import NotDicom, QagateError, ScoringError
from qagate.observe.log import configure
from qagate.prompt.rules import load_rules
from qagate.report.build import build
from qagate.score.scorer import Scorer
from qagate.settings import Logging, Settings
from qagate.work.assessing import assess
from tests.unit.receive.scanner import receiving, send
from tests.unit.report import making

SECRETS = {
    # names and identifiers, and values that are not what their VR allows, which libraries like to complain about
    "PatientName": ("PN", "QXNAMEQX^" + "QXLONGQX" * 12),
    "PatientID": ("LO", "QXIDQX" * 20),
    "PatientBirthDate": ("DA", "QXBIRTHQX"),
    "PatientAge": ("AS", "QXAGEQX"),
    "AccessionNumber": ("SH", "QXACCESSIONQX" * 4),
    "StudyDate": ("DA", "QXDATEQX"),
    "StudyID": ("SH", "QXSTUDYQX" * 4),
    "ReferringPhysicianName": ("PN", "QXDOCTORQX" * 12),
    "PatientWeight": ("DS", "QXWEIGHTQX"),
    "SeriesNumber": ("IS", "QXNUMBERQX"),
    "FrameOfReferenceUID": ("UI", "QXFRAMEQX"),
}
MARK = "QX"


@pytest.fixture
def as_found() -> Iterator[None]:
    """Put all of logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: each.level for name, each in root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, old in levels.items():
            logging.getLogger(name).setLevel(old)


class NoScorer:
    """A network that cannot be run."""

    identity = making.assessment().model

    def score(self, *arguments: Any) -> Any:
        raise ScoringError("the network could not be run, got no network")


def _put_secrets(data_set: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        vr, value = SECRETS[keyword]
        tag = Tag(keyword)
        raw = (value + " " * (len(value) % 2)).encode()
        data_set._dict[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)  # as if read, so not checked
    if len(keywords) > 2:
        data_set[0x00111001] = DataElement(0x00111001, "UN", b"QXPRIVATEQX")


def _with_secrets(path: Path, keywords: tuple[str, ...]) -> Any:
    data_set = dcmread(path)
    _put_secrets(data_set, keywords)
    return data_set


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("keywords", [("PatientName", "PatientID"), tuple(SECRETS)])
def test_no_patient_data_from_reception_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keywords: tuple[str, ...]
) -> None:
    shape = (6, 48, 48)
    made = write_series(
        np.random.default_rng(0).integers(-200, 200, shape).astype(np.int16),
        (5.0, 2.0, 2.0),
        tmp_path / "made",
        modality="CT",
        description="abdomen",
    )
    configure(Logging(level="debug"), "test")
    objects = [_with_secrets(path, keywords) for path in made]
    with receiving(tmp_path / "spool") as (receiver, told):
        assert send(receiver.port, *objects) == [0x0000] * len(objects)
        told.closed()
    read = read_series([instance.path for instance in told.instances])
    assert len(read.volumes) == 1
    judged = assess(read, load_rules(None), cast(Scorer, NoScorer()), Settings(), "SCANNER")
    assert len(judged) == 1
    evidence = [making.header(number + 1) for number in range(12)]
    for header in evidence:
        _put_secrets(header, keywords)
    try:
        assert build(making.request(evidence=tuple(evidence)))
    except QagateError as error:
        logging.getLogger("qagate.work").error("parked: %s", error)
    logging.getLogger("qagate").debug("the end")
    shown = capsys.readouterr()
    assert "receive:" in shown.err
    assert "the end" in shown.err
    assert MARK not in shown.err + shown.out


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("json_lines", [False, True])
def test_words_of_others_are_left_out(capsys: pytest.CaptureFixture[str], json_lines: bool) -> None:
    configure(Logging(level="debug", json_lines=json_lines), "test")
    name_of_patient = MARK.lower().upper() + "NAME"
    for name in ("pydicom", "pynetdicom.dul", "highdicom.sr", "PIL"):
        logging.getLogger(name).error("Invalid value %s", name_of_patient)
        logging.getLogger(name).warning(name_of_patient)
    warnings.warn(f"Invalid value for VR PN: {name_of_patient!r}", UserWarning, stacklevel=1)
    try:
        try:
            raise ValueError(f"could not convert {name_of_patient!r}")
        except ValueError as error:
            raise KeyError(name_of_patient) from error
    except KeyError as error:
        logging.getLogger("pynetdicom").exception(error)
        logging.getLogger("qagate.work").exception("series 1.2 could not be judged")
    try:
        raise NotDicom("it must have a prefix, got none: x.dcm")
    except NotDicom:
        logging.getLogger("qagate.work").exception("left out")
    text = capsys.readouterr().err
    assert MARK not in text
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert "test_log.py" in text
    assert "got none: x.dcm" in text
    assert text.count("pydicom: ") == 1
