"""Stored values → modality values, for every way of storing them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import write_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from qagate.assemble.child import Decoders
from qagate.assemble.codestream import size_of
from qagate.assemble.series import read_series
from qagate.domain.volume import Volume
from tests.unit.assemble.made import ct_slice, mr_slice, save

RAMP = (np.arange(400) * 10).reshape(20, 20)  # 0 to 3990


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


def volume_of(dataset: Dataset, folder: Path, decoders: Decoders | None = None) -> Volume:
    (volume,) = read_series([save(dataset, folder)], decoders=decoders).volumes
    return volume


def codes(volume: Volume) -> list[str]:
    return [finding.code.value for finding in volume.findings]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_widths(tmp_path: Path, dtype: str) -> None:
    stored = (RAMP // 40 - (50 if dtype.startswith("i") else 0)).astype(dtype)
    volume = volume_of(mr_slice(stored), tmp_path)
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels[0], stored)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"RescaleSlope": 2, "RescaleIntercept": -1000}, RAMP * 2 - 1000),
        ({"RescaleSlope": 0.5, "RescaleIntercept": 0}, RAMP * 0.5),
        ({"RescaleSlope": "", "RescaleIntercept": 0}, RAMP),  # empty: as if 1
        ({"PhotometricInterpretation": "MONOCHROME1"}, None),
    ],
)
def test_rescale(tmp_path: Path, attributes: dict[str, Any], expected: Any) -> None:
    volume = volume_of(ct_slice(RAMP.astype(np.uint16), **attributes), tmp_path)
    # HU do not depend on how they are shown
    expected = RAMP - 1024 if expected is None else expected
    np.testing.assert_allclose(volume.voxels[0], expected)
    assert volume.voxels.dtype == (np.float32 if attributes.get("RescaleSlope") == 0.5 else np.int16)


def test_values_beyond_int16_make_the_volume_float32(tmp_path: Path) -> None:
    stored = RAMP.astype(np.uint16)
    stored[0, 0] = 60000
    volume = volume_of(mr_slice(stored), tmp_path)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_array_equal(volume.voxels[0], stored)


def test_monochrome1_is_turned_round_in_mr(tmp_path: Path) -> None:
    volume = volume_of(
        mr_slice(RAMP.astype(np.uint16), PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11), tmp_path
    )
    np.testing.assert_array_equal(volume.voxels[0], 4095 - RAMP)


def test_high_bit_and_embedded_overlays(tmp_path: Path) -> None:
    shifted = volume_of(mr_slice((RAMP << 4).astype(np.uint16), BitsStored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(shifted.voxels[0], RAMP)
    with_overlay = mr_slice((RAMP | 0x8000).astype(np.uint16), BitsStored=12, HighBit=11)
    with_overlay.add_new(0x60000100, "US", 16)
    with_overlay.add_new(0x60000102, "US", 15)
    np.testing.assert_array_equal(volume_of(with_overlay, tmp_path).voxels[0], RAMP)


@pytest.mark.parametrize(
    ("padding", "stored_padding", "dtype"),
    [(-2000, -2000, "int16"), (63536, 63536, "uint16"), (-2000, 63536, "uint16")],  # 63536 = 65536 - 2000
)
def test_padding_becomes_air(tmp_path: Path, padding: int, stored_padding: int, dtype: str) -> None:
    stored = RAMP.astype(dtype)
    stored[0] = stored_padding
    dataset = ct_slice(stored)
    dataset.add_new(0x00280120, "SS" if padding < 0 else "US", padding)
    volume = volume_of(dataset, tmp_path)
    assert volume.voxels.dtype == np.int16
    assert (volume.voxels[0, 0] == -1024).all()
    np.testing.assert_array_equal(volume.voxels[0, 1:], RAMP[1:] - 1024)


def test_padding_of_an_mr_that_nothing_declares(tmp_path: Path) -> None:
    stored = RAMP.astype(np.int16)
    stored[0] = -9999
    volume = volume_of(mr_slice(stored), tmp_path)
    np.testing.assert_array_equal(volume.voxels[0], np.maximum(stored, 0))
    assert [finding.code for finding in volume.findings] == ["contradictory_tags"]


def test_a_padding_value_that_means_water_is_not_believed(tmp_path: Path) -> None:
    dataset = ct_slice(RAMP.astype(np.int16), RescaleIntercept=0)
    dataset.add_new(0x00280120, "SS", 0)
    np.testing.assert_array_equal(volume_of(dataset, tmp_path).voxels[0], RAMP)


def test_modality_lut(tmp_path: Path) -> None:
    item = Dataset()
    item.add_new(0x00283002, "US", [400, 0, 16])
    item.add_new(0x00283006, "US", [(7 * i) % 1000 for i in range(400)])
    stored = (RAMP // 10).astype(np.uint16)
    dataset = mr_slice(stored, ModalityLUTSequence=Sequence([item]))
    np.testing.assert_array_equal(volume_of(dataset, tmp_path).voxels[0], (7 * stored.astype(int)) % 1000)


def test_float_pixels(tmp_path: Path) -> None:
    dataset = mr_slice(RAMP.astype(np.uint16))
    del dataset.PixelData
    dataset.FloatPixelData = (RAMP / 7).astype("<f4").tobytes()
    dataset.BitsAllocated = 32
    volume = volume_of(dataset, tmp_path)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_allclose(volume.voxels[0], (RAMP / 7).astype(np.float32))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_compressed(tmp_path: Path, decoders: Decoders, syntax: UID, dtype: str) -> None:
    # 80 x 80: the JPEG 2000 encoder wants 5 halvings
    stored = (np.kron(RAMP, np.ones((4, 4), int)) - (2000 if dtype == "int16" else 0)).astype(dtype)
    dataset = mr_slice(stored)
    dataset.compress(syntax)
    volume = volume_of(dataset, tmp_path, decoders)
    assert volume.findings == ()
    np.testing.assert_array_equal(volume.voxels[0], stored)


# HTJ2K streams of 16 x 24 pixels (row x 40 + column x 25), RPCL, written by OpenJPH 0.26.3: nothing here writes them
HTJ2K = {
    "unsigned": (
        "/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
        "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAJQAAf+TwAAm8fwFB3QAwAASgFgCB3QAwAAS"
        "wAATgPsAx3QA2mr7AII0AMAAE0AAFUDi4oELdABs2dj+AAhAd1YAwAAVEAAFcK7rutpwgnUAsjKZTCb74BD2IQHsuADAACtgABbI"
        "EEIIIYTz+np6cAJ4AE7HcRzHcRzHcf7/EAEIHv2EIHv2EIHsvwD/2Q=="
    ),
    "signed": (  # 500 less
        "/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
        "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAJMAAf+TwAAl2QEHdADAABKAWAIHdADAABLA"
        "ABOA+wDHdADaavsAgjQAwAATQAAVQOLigQt0AGzZ2P4ACEB3VgDAABUQAAVwruu62nCCdQCyMplMJvvgEPYhAey4AMAAK2AAFsgQ"
        "QgghhPP6enpwAngATsdxHMdxHMdx/v8QAQge/YQge/YQgey/AP/Z"
    ),
    "lossy": (  # quantised in steps of 0.0001 x 65536 = 6.6
        "/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAAJ/9SAAwAAgABAAUEBEAA/1wAIyKc"
        "XZw3nDecEpRJlEmUMYyIjIiMnIUhhSGFjXz2fPZ8mf9kABcAAU9wZW5KUEggVmVyIDAuMjYuMy7/kAAKAAAAAAClAAH/k8AACcBr"
        "HP0Gh3QAwAAJgPD9Aod0AMAAEsAAE4DDAId0ANRS+wCCNADAACpgABWAAGPQ9ADI+bUAA+GAcCD8AAADfrYAwABWQABagJpR5Yzq"
        "Akz/Fct3AFb1qId61FGPOupAKYAAU3bVajoAwACqgAFtgAAA8/Ap6enieAAAEAwMgkEwCAbBIPh+wSU6ZJTpklN0xjGM7wD/2Q=="
    ),
}


def htj2k(kind: str, syntax: str, code: bytes | None = None, **attributes: Any) -> Dataset:
    """Return an MR slice whose pixels are one of the streams above; syntax: the last number of its UID."""
    dataset = mr_slice(np.zeros((16, 24), np.int16 if kind == "signed" else np.uint16), **attributes)
    dataset.PixelData = encapsulate([base64.b64decode(HTJ2K[kind]) if code is None else code])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
    return dataset


@pytest.mark.parametrize(
    ("kind", "syntax", "worst"),
    [("unsigned", "201", 0), ("signed", "201", 0), ("unsigned", "202", 0), ("unsigned", "203", 0), ("lossy", "203", 7)],
)
def test_htj2k(tmp_path: Path, decoders: Decoders, kind: str, syntax: str, worst: int) -> None:
    volume = volume_of(htj2k(kind, syntax), tmp_path, decoders)
    ramp = np.add.outer(np.arange(16) * 40, np.arange(24) * 25) - (500 if kind == "signed" else 0)
    assert np.abs(volume.voxels[0].astype(int) - ramp).max() <= worst
    assert volume.findings == ()


def test_a_broken_htj2k_stream_costs_its_slice(tmp_path: Path, decoders: Decoders) -> None:
    code = base64.b64decode(HTJ2K["unsigned"])
    at = code.index(b"\xff\x93")  # start of data
    broken = {1: code[:at], 2: code[:at] + b"\xff" * (len(code) - at), 3: bytes(2)}
    files = [
        save(
            htj2k("unsigned", "201", broken.get(i), position=(0, 0, 3.0 * i), number=i, SOPInstanceUID=f"1.2.{i}"),
            tmp_path,
        )
        for i in range(5)
    ]
    (volume,) = read_series(files, decoders=decoders).volumes
    assert volume.valid is not None
    assert volume.valid[[0, 4]].all()
    assert codes(volume) == ["unreadable_slice"]
    assert "could not be decoded" in volume.findings[0].detail


def test_a_broken_stream_costs_its_slice(tmp_path: Path, decoders: Decoders) -> None:
    files = []
    for index in range(4):
        dataset = mr_slice(RAMP.astype(np.uint16), (0, 0, 3.0 * index), index, SOPInstanceUID=f"1.2.{index}")
        dataset.compress(JPEGLSLossless)
        if index == 2:
            dataset.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + bytes(200)])
        files.append(save(dataset, tmp_path))
    (volume,) = read_series(files, decoders=decoders).volumes
    assert codes(volume) == ["unreadable_slice"]
    assert volume.valid is not None
    assert volume.valid.tolist() == [True, True, False, True]


def test_a_stream_larger_than_its_header_is_not_decoded(tmp_path: Path, decoders: Decoders) -> None:
    dataset = mr_slice(np.zeros((200, 200), np.uint16))
    dataset.compress(JPEG2000Lossless)
    dataset.Rows = dataset.Columns = 100
    (volume,) = read_series([save(dataset, tmp_path)], decoders=decoders).volumes
    assert codes(volume) == ["unreadable_pixels"]
    assert "200 x 200" in volume.findings[0].detail


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    dataset = mr_slice(RAMP.astype(np.uint16))
    dataset.PixelData = encapsulate([b"\x00" * 10])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # MPEG-4
    volume = volume_of(dataset, tmp_path)
    assert codes(volume) == ["unreadable_pixels"]
    assert "1.2.840.10008.1.2.4.102" in volume.findings[0].detail


@pytest.mark.parametrize("said", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("true", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_transfer_syntax_that_is_not_that_of_the_pixels(
    tmp_path: Path, decoders: Decoders, true: UID | None, said: UID
) -> None:
    picture = np.kron(RAMP, np.ones((3, 3), int))  # JPEG 2000 needs 32 pixels and more
    dataset = mr_slice(picture.astype(np.uint16))
    if true is not None:
        dataset.compress(true)
    path = save(dataset, tmp_path)
    raw = path.read_bytes()
    body = raw[144 + int.from_bytes(raw[140:144], "little") :]  # what follows the file meta information
    dataset.file_meta.TransferSyntaxUID = said
    with path.open("wb") as file:
        file.write(raw[:128] + b"DICM")
        write_file_meta_info(file, dataset.file_meta)
        file.write(body)
    (volume,) = read_series([path], decoders=decoders).volumes
    assert codes(volume) == []
    np.testing.assert_array_equal(volume.voxels[0], picture)


def test_a_high_bit_that_the_values_deny(tmp_path: Path) -> None:
    ramp = np.arange(20 * 24).reshape(20, 24) * 8
    for stored in (ramp, ramp << 4):  # not as the header says; as it says
        volume = volume_of(mr_slice(stored.astype(np.uint16), BitsStored=12, HighBit=15), tmp_path)
        np.testing.assert_array_equal(volume.voxels[0], ramp)
    signed = (ramp - 2000).astype(np.int16)
    volume = volume_of(mr_slice(signed, BitsStored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(volume.voxels[0], signed)


def test_sizes_in_codestreams() -> None:
    assert size_of(b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc3\x00\x0b\x10\x02\x00\x03\x00\x01") == (512, 768)
    assert size_of(
        b"\xff\x4f\xff\x51\x00\x29\x00\x00" + (3).to_bytes(4, "big") + (5).to_bytes(4, "big") + bytes(8)
    ) == (5, 3)
    assert size_of(b"\x01\x00\x00\x00") is None
    assert size_of(b"") is None
    assert JPEGLosslessSV1  # its files are among the development data: nothing here writes them


def test_a_decoder_process_that_dies_is_started_again(decoders: Decoders) -> None:
    with Decoders(1) as own:
        dataset = mr_slice(RAMP.astype(np.uint16))
        dataset.compress(JPEGLSLossless)
        child = own._idle.get()
        assert child is None  # nothing is started before it is needed
        own._idle.put(None)
        from qagate.assemble.child import _Child
        from qagate.errors import UnreadablePixels

        dead = _Child()
        dead._process.kill()
        dead._process.wait()
        own._idle.get()
        own._idle.put(dead)
        options: dict[str, Any] = {"rows": 20}
        with pytest.raises(UnreadablePixels, match="gave up"):
            own.decode(b"x", str(JPEGLSLossless), ("pyjpegls",), options)
        with pytest.raises(UnreadablePixels, match="decoded"):
            own.decode(b"x", str(JPEGLSLossless), ("pyjpegls",), options)
