"""Documents as a whole: repeatable, independent of one another, safe on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from qagate.errors import OutboxError, ReportError
from qagate.report.build import Document, build
from tests.unit.report import making


def identities(documents: tuple[Document, ...]) -> list[str]:
    return [str(variant.SOPInstanceUID) for document in documents for variant in document.variants]


def test_the_same_request_gives_the_same_documents(tmp_path: Path) -> None:
    one, two = (
        [path.read_bytes() for document in build(making.request()) for path in document.write(tmp_path / str(k))]
        for k in range(2)
    )
    assert one == two


def test_another_seed_gives_other_documents() -> None:
    one, two = identities(build(making.request())), identities(build(making.request(seed="seed two")))
    assert len(set(one)) == 5  # three SR, SC, KO
    assert not set(one) & set(two)


def test_series_of_the_three_kinds_are_apart_and_numbered() -> None:
    documents = build(making.request())
    assert len({d.variants[0].SeriesInstanceUID for d in documents}) == 3
    assert [d.variants[0].SeriesNumber for d in documents] == [9901, 9902, 9903]


def test_revisions_share_their_three_series() -> None:
    first = build(making.request())
    sr = first[0].variants[1]
    again = build(
        making.request(
            revision=2, predecessor=(sr.SOPClassUID, sr.SOPInstanceUID, sr.SeriesInstanceUID), seed="seed two"
        )
    )
    assert [d.variants[0].SeriesInstanceUID for d in first] == [d.variants[0].SeriesInstanceUID for d in again]


def test_the_source_is_not_changed() -> None:
    headers = tuple(making.header(k + 1) for k in range(3))
    copies = tuple(making.header(k + 1) for k in range(3))
    build(making.request(evidence=headers))
    assert headers == copies


def test_pixels_of_the_source_are_never_touched() -> None:
    class Heavy(Dataset):
        def __getattr__(self, name: str) -> Any:
            assert name != "PixelData"
            return super().__getattr__(name)

    header = Heavy()
    header.update(making.header(1))
    assert build(making.request(evidence=(header,)))


def test_files_are_named_by_their_uid_and_nothing_else_is_left(tmp_path: Path) -> None:
    for document in build(making.request()):
        paths = document.write(tmp_path / document.kind)
        assert [path.stem for path in paths] == [str(v.SOPInstanceUID) for v in document.variants]
        assert sorted(os.listdir(tmp_path / document.kind)) == sorted(path.name for path in paths)
        for path, variant in zip(paths, document.variants, strict=True):
            assert path.read_bytes()[128:132] == b"DICM"
            assert dcmread(path).SOPClassUID == variant.SOPClassUID


def test_writing_twice_is_harmless(tmp_path: Path) -> None:
    document = build(making.request())[0]
    assert document.write(tmp_path) == document.write(tmp_path)


def test_a_folder_that_cannot_be_written_is_said_and_asked_again_later(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert OutboxError.retryable  # else a full disk sets the series aside
    with pytest.raises(OutboxError, match=r"SR cannot be written to .* got"):
        build(making.request())[0].write(tmp_path / "file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assessments": ()}, "got none"),
        ({"revision": 0}, "got 0"),
        ({"created_at": making.NOW.replace(tzinfo=None)}, "got 2025-06-01T01:20:00"),
        ({"seed": ""}, "got an empty one"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        making.request(**changes)
