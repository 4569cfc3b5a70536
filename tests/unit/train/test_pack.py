from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.errors import InputError
from qagate.score.preprocess import standardise
from qagate.train import pack

from .volumes import body, folder, nifti


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("volumes")
    pack.write(folder(place), place / "x.qpk")
    return place / "x.qpk"


def test_voxels_come_back_to_half_a_step(made: Path) -> None:
    found = {v.name: v for v in pack.volumes(made)}
    for number, (modality, step) in enumerate((("CT", pack.CT_STEP_HU), ("MR", pack.MR_STEP))):
        standard, _ = standardise(body(number, modality), modality)
        assert np.abs(found[f"v{number}"].voxels - standard).max() <= step / 2 + 1e-4


def test_prompts_speak_the_words_of_the_domain(made: Path) -> None:
    found = {v.name: v for v in pack.volumes(made)}
    assert found["v0"].prompt.regions == ("chest",)
    assert found["v0"].prompt.organ == "lung"
    assert found["v0"].prompt.sequence is None
    assert found["v1"].prompt.sequence == "T1"
    assert found["v1"].prompt.plane == "axial"
    assert found["v1"].spacing_mm == pytest.approx((2.0, 0.8, 0.8))


def test_no_subject_is_in_two_parts_and_held_out_organs_are_in_none_to_fit(made: Path) -> None:
    entries = pack.header(made)["volumes"]
    parts = {name: {e["subject"] for e in entries if e["part"] == name} for name in ("fit", "select", "benchmark")}
    assert not parts["fit"] & parts["benchmark"]
    assert not (parts["fit"] | parts["benchmark"]) & parts["select"]
    assert all(e["part"] == "benchmark" for e in entries if e["organ"] == "knee")
    assert all(parts.values())


def test_the_split_follows_from_the_names_alone() -> None:
    rows = [
        {
            "subject": f"s{i}",
            "organ": "chest",
            "vendor": "x",
            "modality": "CT",
            "shape": "9x9x9",
            "sequence": "",
            "note": "",
        }
        for i in range(40)
    ]
    first, second = pack.split(rows), pack.split(rows[::-1])
    assert first == second
    assert [sum(part == name for part in first.values()) for name, _ in pack.SPLIT] == [24, 6, 10]  # 60, 15, 25 % of 40


def test_only_the_parts_asked_for_are_read(made: Path) -> None:
    assert {v.part for v in pack.volumes(made, ("select",))} == {"select"}


def test_a_changed_byte_is_noticed(made: Path, tmp_path: Path) -> None:
    data = bytearray(made.read_bytes())
    data[-5] ^= 1
    (tmp_path / "y.qpk").write_bytes(bytes(data))
    with pytest.raises(InputError, match="SHA-256"):
        list(pack.volumes(tmp_path / "y.qpk"))


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4 something else", pack.MAGIC + b"\xff" * 8, pack.MAGIC + b"\x05" + bytes(7) + b"[1,2"]
)
def test_what_is_no_pack_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "y.qpk").write_bytes(data)
    with pytest.raises(InputError, match="got"):
        pack.header(tmp_path / "y.qpk")


def test_noise_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder(tmp_path / "v", 4)
    noise = np.random.default_rng(0).integers(0, 255, (6, 120, 120)).astype(np.int16)
    nifti(place / "v1.nii.gz", noise)
    pack.write(place, tmp_path / "x.qpk")
    assert "v1 is left out" in capsys.readouterr().out
    assert "v1" not in {e["name"] for e in pack.header(tmp_path / "x.qpk")["volumes"]}


def test_too_large_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 1000 bytes"):
        pack.write(folder(tmp_path / "v", 2), tmp_path / "x.qpk", 1000)


def test_every_organ_word_of_the_index_is_known() -> None:
    index = Path(__file__).resolve().parents[4] / "shared" / "data" / "volumes" / "index.csv"
    if not index.exists():
        pytest.skip("the development data are not here")
    assert {row["organ"] for row in pack._rows(index.parent)} <= set(pack.ORGAN_WORDS)


def test_an_index_as_a_spreadsheet_writes_it_is_read_the_same(tmp_path: Path) -> None:
    made = folder(tmp_path)
    plain = pack._rows(made)
    text = (made / "index.csv").read_text()
    (made / "index.csv").write_bytes(b"\xef\xbb\xbf" + text.replace(",", ";").replace("\n", "\r\n").encode())
    assert pack._rows(made) == plain
    (made / "index.csv").write_text(text.replace("subject", "who"))
    with pytest.raises(InputError, match="must have the columns"):
        pack._rows(made)
