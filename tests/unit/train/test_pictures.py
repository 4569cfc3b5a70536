from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qagate.domain.volume import Volume
from qagate.errors import InputError, UnreadablePixels
from qagate.train import pictures

from .volumes import nifti


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ramp = np.arange(64 * 48).reshape(48, 64)
    Image.fromarray((ramp % 256).astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([(ramp % 256).astype(np.uint8)] * 3, -1)).save(tmp_path / "colour.jpg")
    Image.fromarray((ramp / 4096).astype(np.float32)).save(tmp_path / "real.tiff")
    Image.fromarray((ramp * 20).astype(np.uint16)).save(tmp_path / "deep.tif")
    first = Image.fromarray((ramp % 250).astype(np.uint8))
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[first, first])
    np.save(tmp_path / "stack.npy", ramp.reshape(1, 48, 64).repeat(4, 0).astype(np.int16))
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 64, 48, 2, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 0.5, 0.5, 3, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    voxels = ramp.reshape(1, 48, 64).repeat(2, 0).astype("<i2")
    (tmp_path / "volume.nii.gz").write_bytes(gzip.compress(bytes(header) + voxels.tobytes()))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no")
    (tmp_path / "flat.png").write_bytes(b"")
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(tmp_path / "black.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "shape", "highest"),
    [
        ("grey.png", (1, 48, 64), 255),
        ("colour.jpg", (1, 48, 64), 255),
        ("real.tiff", (1, 48, 64), 3071 / 4096),
        ("deep.tif", (1, 48, 64), 61420),
        ("pages.tif", (3, 48, 64), 249),
        ("stack.npy", (4, 48, 64), 3071),
        ("volume.nii.gz", (2, 48, 64), 3071),
    ],
)
def test_every_kind_of_image_is_read(folder: Path, name: str, shape: tuple[int, int, int], highest: float) -> None:
    voxels, spacing, known, _ = pictures.read_image(folder / name)
    assert voxels.shape == shape
    assert voxels.dtype in (np.int16, np.float32)
    assert float(voxels.max()) == pytest.approx(highest, rel=0.02)
    assert (spacing == (3.0, 0.5, 0.5), known) == ((name == "volume.nii.gz"),) * 2


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((1, 1, 20, 30), (1, 20, 30)),
        ((20, 30, 1), (1, 20, 30)),
        ((5, 20, 30, 1), (5, 20, 30)),
        ((20, 30, 3), (1, 20, 30)),
    ],
)
def test_arrays_with_other_axes(folder: Path, shape: tuple[int, ...], read: tuple[int, ...]) -> None:
    colours = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    np.save(folder / "axes.npy", colours)
    found = pictures.read_volume(folder / "axes.npy")
    assert found.voxels.shape == read
    assert (found.colour is not None) == (shape[-1] == 3)


def test_slices_that_stand_last_are_not_taken_for_columns(folder: Path) -> None:
    np.save(folder / "last.npy", np.random.default_rng(0).random((64, 64, 20)))
    with pytest.raises(InputError, match=r"got \(rows, columns, slices\) by its \(64, 64, 20\)"):
        pictures.read_volume(folder / "last.npy")


def test_one_value_and_nothing_else_shows_nothing(folder: Path) -> None:
    np.save(folder / "one.npy", np.where(np.eye(20) > 0, np.nan, 3.0))
    with pytest.raises(InputError, match="one value everywhere"):
        pictures.read_volume(folder / "one.npy")


def test_filling_is_no_part_of_the_grey_scale(folder: Path) -> None:
    np.save(folder / "filled.npy", np.pad(np.full((20, 20), 900, np.int16) + np.arange(20), 4, constant_values=-9999))
    assert pictures.read_image(folder / "filled.npy")[0].min() == 0


def test_colours_are_kept_beside_their_luma(folder: Path) -> None:
    red = np.zeros((2, 20, 30, 3), np.uint8)
    red[:, 5:, :, 0] = 200
    pages = [Image.fromarray(page) for page in red]
    pages[0].save(folder / "red.tif", save_all=True, append_images=pages[1:])
    found = pictures.read_volume(folder / "red.tif")
    assert found.colour is not None
    assert np.array_equal(found.colour, red)
    assert np.allclose(found.voxels, red[..., 0] * 0.299)
    assert pictures.read_volume(folder / "colour.jpg").colour is None  # three channels of grey


@pytest.mark.parametrize("name", ["broken.png", "flat.png", "black.png", "absent.png", "image.xyz"])
def test_what_cannot_be_read_is_said(folder: Path, name: str) -> None:
    (folder / "image.xyz").write_bytes(b"?")
    with pytest.raises(InputError, match="got"):
        pictures.read_image(folder / name)


def test_damaged_files_cost_one_sentence(folder: Path) -> None:
    npy, tif = bytearray((folder / "stack.npy").read_bytes()), bytearray((folder / "pages.tif").read_bytes())
    npy[npy.index(b"}")] = ord("(")  # the header never ends
    for tag in (256, 257):  # the last page has neither width nor height
        at = max(tif.rfind(struct.pack("<2HI", tag, kind, 1)) for kind in (3, 4))
        tif[at : at + 2] = struct.pack("<H", 40000 + tag)
    for name, data in (("a.npy", npy), ("a.tif", tif)):
        (folder / name).write_bytes(data)
        with pytest.raises(InputError, match="got"):
            pictures.read_image(folder / name)


def test_other_files_go_to_the_reader_that_was_handed_in(folder: Path) -> None:
    (folder / "image.dcm").write_bytes(b"?")
    handed = pictures.volume(np.arange(256, dtype=np.float32).reshape(1, 16, 16), (5.0, 1.0, 1.0), known=False)
    assert pictures.read_volume(folder / "image.dcm", lambda path: handed) is handed
    flat = pictures.volume(np.ones((1, 16, 16), np.float32), (5.0, 1.0, 1.0))
    with pytest.raises(InputError, match="one value everywhere"):
        pictures.read_volume(folder / "image.dcm", lambda path: flat)


def test_bad_rows_cost_one_sentence_each_and_nothing_else(folder: Path) -> None:
    index = folder / "labels.csv"
    index.write_text(
        "\ufeffPath,Score,modality,organ,group\n"
        "grey.png,3.5,CT,liver,a\n"
        "grey.png,high,CT,,a\n"  # line 3: not a number
        ",2,CT,,a\n"  # line 4: no path
        "broken.png,1,MR,,b\n"  # line 5: unreadable
        "real.tiff,nan,,,\n"  # line 6: not finite
        "real.tiff,1,PT,,\n"  # line 7: modality
        "real.tiff,0,mri,abdomen,\n"
        "image.dcm,0,CT,abdomen,\n"  # line 9: the reader refuses
        "short\n"  # line 10: no score
    )
    (folder / "image.dcm").write_bytes(b"?")

    def reader(path: Path) -> Volume:
        raise UnreadablePixels(f"{path} must have pixels, got none")

    rows, problems = pictures.read_index(index)
    found = list(pictures.pictures(rows, problems, reader))
    assert [(p.row.line, p.row.modality) for p in found] == [(2, "CT"), (8, "MR")]
    assert [p.row.group for p in found] == ["a", str(folder / "real.tiff")]
    assert found[0].prompt.organ == "liver"
    assert found[0].prompt.regions == found[1].prompt.regions == ("abdomen",)
    assert sorted(int(p.split(":")[0].removeprefix("line ")) for p in problems) == [3, 4, 5, 6, 7, 9, 10]
    assert all("got" in p for p in problems)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_unicode_text_of_a_spreadsheet(folder: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # the others write theirs
    (folder / "labels.csv").write_bytes(f"{mark}path\tscore\r\ngrey.png\t3,5\r\n".encode(encoding))
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert ([row.score for row in rows], problems) == ([3.5], [])


def test_letters_of_western_windows(folder: Path) -> None:
    (folder / "Schädel 1.npy").write_bytes((folder / "stack.npy").read_bytes())
    (folder / "labels.csv").write_bytes("Path;Score;Group\r\nSchädel 1.npy;3,5;Müller\r\n".encode("cp1252"))
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert ([(row.path.name, row.group) for row in rows], problems) == ([("Schädel 1.npy", "Müller")], [])
    assert rows[0].path.exists()


@pytest.mark.parametrize("before", ["sep=;\r\n", '"sep=;"\n', "\n \n", ";;\n"])
def test_lines_before_the_header_that_say_nothing(folder: Path, before: str) -> None:
    (folder / "labels.csv").write_bytes((before + "PATH;SCORE\ngrey.png;high\ngrey.png;3,5\n").encode("utf-8-sig"))
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert [row.score for row in rows] == [3.5]
    assert problems == [f"line {before.count(chr(10)) + 2}: score must be a finite number, got 'high'"]


def test_what_was_left_of_a_nifti_file_is_said(folder: Path) -> None:
    nifti(folder / "four.nii", np.arange(4 * 3 * 9 * 10, dtype=np.int16).reshape(12, 9, 10))
    data = bytearray((folder / "four.nii").read_bytes())
    struct.pack_into("<8h", data, 40, 4, 10, 9, 3, 4, 1, 1, 1)
    (folder / "four.nii").write_bytes(bytes(data))
    (folder / "labels.csv").write_text("path,score,modality\nfour.nii,1,MR\n")
    rows, problems = pictures.read_index(folder / "labels.csv")
    (found,) = pictures.pictures(rows, problems)
    assert found.volume.geometry.shape == (3, 9, 10)
    (sentence,) = problems
    assert sentence.startswith("line 2: ")
    assert sentence.endswith("four.nii: the file holds 4 volumes, of which the first was read")


def test_semicolons_and_decimal_commas(folder: Path) -> None:
    (folder / "labels.csv").write_text("path;score\ngrey.png;3,5\n")
    rows, problems = pictures.read_index(folder / "labels.csv", modality="CT")
    assert (rows[0].score, rows[0].modality, problems) == (3.5, "CT", [])


@pytest.mark.parametrize(
    "text",
    [
        "path\tscore\ngrey.png\t3,5\n",
        "path|score\ngrey.png|3,5\n",
        'path, score\r\n"grey.png", "3,5"\r\n',
        "Path,score,,\ngrey.png,3.5,,\n",  # columns that a spreadsheet left empty
        "path,score\ngrey.png,3.5,,\n",
        'path;score;"why, how, when, who"\ngrey.png;3,5;"a;b"\n',
    ],
)
def test_forms_in_which_programs_write_a_csv(folder: Path, text: str) -> None:
    (folder / "labels.csv").write_bytes(text.encode())
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert ([(r.path.name, r.score) for r in rows], problems) == ([("grey.png", 3.5)], [])


def test_a_decimal_comma_that_is_not_quoted_cuts_no_score(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,score\ngrey.png,3,5\nreal.tiff,4\n")
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert [r.score for r in rows] == [4.0]
    assert problems == ["line 2: a row must have no more values than there are columns, got '5' behind the last one"]


def test_rows_of_several_raters_on_one_image_stay_together(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,score\ngrey.png,3\n./grey.png,4\nreal.tiff,4\n")
    rows, _ = pictures.read_index(folder / "labels.csv")
    assert rows[0].group == rows[1].group != rows[2].group


def test_folders_are_parted_as_on_windows_too(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.npy").touch()
    (folder / "odd\\name.npy").touch()
    (folder / "labels.csv").write_text("path,score\nsub\\a.npy,3\nodd\\name.npy,4\n")
    rows, _ = pictures.read_index(folder / "labels.csv")
    assert [r.path for r in rows] == [folder / "sub" / "a.npy", folder / "odd\\name.npy"]


def test_a_letter_that_parts_lines_in_unicode_only_parts_no_rows(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,score\na\u2028b.png,3\n", encoding="utf-8")
    rows, problems = pictures.read_index(folder / "labels.csv")
    assert ([r.path.name for r in rows], problems) == (["a\u2028b.png"], [])


def test_a_field_without_an_end_is_refused(folder: Path) -> None:
    (folder / "labels.csv").write_text('path,score\n"' + "x" * 140_000)
    with pytest.raises(InputError, match="readable CSV"):
        pictures.read_index(folder / "labels.csv")


def test_a_name_too_long_for_a_file_costs_its_row(folder: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        pictures.read_image(folder / f"{'x' * 300}.png")


@pytest.mark.parametrize("text", ["", "file,score\na,1\n", "path,label\na,1\n"])
def test_an_index_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match="path,score"):
        pictures.read_index(tmp_path / "labels.csv")
