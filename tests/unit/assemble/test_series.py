"""Series → volumes, on made objects and on the development data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from qagate.assemble.child import Decoders
from qagate.assemble.folder import Folder, find_series
from qagate.assemble.series import Limits, read_series
from qagate.domain.finding import FindingCode
from qagate.domain.volume import SeriesVolumes, Volume
from tests.unit.assemble.expected_series import FOLDERS, Ser
from tests.unit.assemble.made import ct_slice, enhanced_mr, mr_slice, save, uid


def codes(volume: Volume | SeriesVolumes) -> list[str]:
    return [finding.code.value for finding in volume.findings]


def ramp(value: int, shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    """Return a picture that differs from every other value's, and from its own mirror images."""
    return (np.arange(shape[0] * shape[1]).reshape(shape) % 500 + value).astype(np.uint16)


def series_of(folder: Path, count: int = 6, spacing: float = 2.5) -> list[Path]:
    return [
        save(ct_slice(ramp(10 * i), (0.0, 0.0, spacing * i), number=count - i, SOPInstanceUID=uid("s", i)), folder)
        for i in range(count)
    ]


def test_a_classic_series_whatever_the_order(tmp_path: Path) -> None:
    files = series_of(tmp_path)
    one, other = read_series(files), read_series(files[::-1])
    (volume,) = one.volumes
    assert volume.geometry.shape == volume.voxels.shape == (6, 20, 24)
    assert volume.geometry.spacing_mm == pytest.approx((2.5, 0.7, 0.7))
    assert volume.voxels.dtype == np.int16
    for index in range(6):
        np.testing.assert_array_equal(volume.voxels[index], ramp(10 * index).astype(int) - 1024)
        assert volume.slices[index].instance_number == 6 - index
    assert volume.findings == ()
    assert volume.tags["Modality"] == "CT"
    np.testing.assert_array_equal(other.volumes[0].voxels, volume.voxels)
    assert other.volumes[0].slices == volume.slices


def test_a_corrupt_slice_costs_that_slice(tmp_path: Path) -> None:
    files = series_of(tmp_path)
    files[2].write_bytes(files[2].read_bytes()[:-100])
    (volume,) = read_series(files).volumes
    assert codes(volume) == ["unreadable_slice"]
    assert volume.valid is not None
    assert volume.valid.tolist() == [True, True, False, True, True, True]
    assert (volume.voxels[2] == -1024).all()
    assert volume.findings[0].sop_instance_uids == (volume.slices[2].sop_instance_uid,)


def test_no_slice_can_be_read(tmp_path: Path) -> None:
    files = series_of(tmp_path, 2)
    for file in files:
        file.write_bytes(file.read_bytes()[:-100])
    (volume,) = read_series(files).volumes
    assert codes(volume) == ["unreadable_pixels"]


def test_equal_copies_are_one_instance_and_other_copies_a_conflict(tmp_path: Path) -> None:
    files = series_of(tmp_path)
    copy = tmp_path / "copy.dcm"
    shutil.copy(files[0], copy)
    assert read_series([*files, copy]).findings == ()
    other = ct_slice(ramp(99), (0.0, 0.0, 0.0), number=6, SOPInstanceUID=uid("s", 0))
    found = read_series([*files, save(other, tmp_path, "other.dcm")])
    assert codes(found) == ["conflicting_copy"]
    assert found.instances == 6
    assert found.findings[0].sop_instance_uids == (uid("s", 0),)


def test_a_uid_that_all_images_share(tmp_path: Path) -> None:
    files = []
    for index in range(6):
        dataset = ct_slice(ramp(index), (0.0, 0.0, 2.5 * index), index + 1, SOPInstanceUID="1.2.3")
        files.append(save(dataset, tmp_path, f"{index}.dcm"))
    (finding,) = read_series(files).findings
    assert (finding.code.value, finding.severity.value) == ("conflicting_copy", "severe")
    assert finding.detail.endswith("one of each was used, 5 of 6 files were not")


def test_a_broken_copy_gives_way_to_a_whole_one(tmp_path: Path) -> None:
    files = series_of(tmp_path)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(files[0].read_bytes()[:-10])
    (volume,) = read_series([broken, *files]).volumes
    assert volume.findings == ()


def test_files_that_are_no_dicom_are_listed(tmp_path: Path) -> None:
    files = series_of(tmp_path, 3)
    stray = tmp_path / "notes.txt"
    stray.write_text("hello, this is not an image")
    found = read_series([*files, stray, tmp_path / "absent.dcm"])
    assert found.instances == 3
    assert [name for name, _ in found.unreadable] == ["absent.dcm", "notes.txt"]
    assert all("got" in sentence for _, sentence in found.unreadable)


def test_nothing_but_rubbish(tmp_path: Path) -> None:
    stray = tmp_path / "x"
    stray.write_bytes(b"")
    found = read_series([stray])
    assert (found.volumes, found.instances, codes(found)) == ((), 0, ["not_an_image"])


def test_find_series_walks_folders(tmp_path: Path) -> None:
    series_of(tmp_path, 3)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    save(mr_slice(ramp(1), SeriesInstanceUID=uid("another")), deep)
    (tmp_path / "readme").write_text("not an image at all")
    folder = Folder()
    found = dict(find_series([tmp_path], folder))
    assert {key: len(files) for key, files in found.items()} == {uid("series"): 3, uid("another"): 1}
    assert [name for name, _ in folder.others] == ["readme"]


def test_images_without_a_series_uid_are_not_one_series_for_that(tmp_path: Path) -> None:
    for number, folder in ((1, "a"), (2, "a"), (1, "b")):
        (tmp_path / folder).mkdir(exist_ok=True)
        for i in range(2):
            attributes = {"SeriesInstanceUID": "", "SeriesNumber": number, "SOPInstanceUID": uid(number, folder, i)}
            save(ct_slice(ramp(i), (0.0, 0.0, i), i, **attributes), tmp_path / folder)
    assert [(name, len(files)) for name, files in find_series([tmp_path])] == [("", 2)] * 3


def test_too_large_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    file = save(ct_slice(ramp(0)), tmp_path)
    dataset = ct_slice(ramp(0))
    dataset.Rows = dataset.Columns = 65535
    huge = save(dataset, tmp_path, "huge.dcm")
    (volume,) = read_series([huge], Limits(max_volume_bytes=1 << 20)).volumes
    assert codes(volume) == ["too_large"]
    assert volume.voxels.size == 0
    (volume,) = read_series([file], Limits(max_volume_bytes=1 << 20)).volumes
    assert volume.findings == ()


def test_one_series_may_not_take_more_than_the_limit_in_many_volumes(tmp_path: Path) -> None:
    # 4 time points of 3 x 20 x 24 voxels of 2 bytes: 2880 bytes each
    files = [
        save(
            mr_slice(
                ramp(t * 10 + z), (0, 0, 3.0 * z), 3 * t + z, TemporalPositionIdentifier=t, SOPInstanceUID=uid(t, z)
            ),
            tmp_path,
        )
        for t in range(4)
        for z in range(3)
    ]
    volumes = read_series(files, Limits(max_volume_bytes=6000)).volumes
    assert [v.label for v in volumes] == ["time point 0", "time point 1", "time point 2", "time point 3"]
    assert [codes(v) for v in volumes] == [[], [], ["too_large"], ["too_large"]]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MPR"]}, None),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "derived"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary_capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "secondary_capture"),
        (
            {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "ImageType": ["ORIGINAL", "PRIMARY", "P"]},
            "phase_image",
        ),
    ],
)
def test_structure_says_what_is_not_scored(tmp_path: Path, attributes: dict[str, object], code: str | None) -> None:
    (volume,) = read_series([save(ct_slice(ramp(0), **attributes), tmp_path)]).volumes
    assert [finding.code.value for finding in volume.unscorable] == ([code] if code else [])
    assert volume.voxels.shape == (1, 20, 24)


def test_other_modalities_and_objects_without_pixels(tmp_path: Path) -> None:
    other = ct_slice(ramp(0), Modality="US", SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1")
    assert codes(read_series([save(other, tmp_path)])) == ["not_ct_or_mr"]
    report = ct_slice(ramp(0), Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34")
    del report.Rows, report.Columns, report.PixelData
    found = read_series([save(report, tmp_path, "sr.dcm")])
    assert (codes(found), found.volumes) == (["not_an_image"], ())


def test_an_enhanced_object_with_several_time_points(tmp_path: Path) -> None:
    pixels = np.stack([ramp(i) for i in range(8)])
    found = read_series([save(enhanced_mr(pixels, spacing_mm=3.0, volumes=2), tmp_path)])
    assert [v.label for v in found.volumes] == ["time point 1", "time point 2"]
    for number, volume in enumerate(found.volumes):
        assert volume.geometry.spacing_mm == pytest.approx((3.0, 1.5, 1.5))
        assert [s.frame_number for s in volume.slices] == [4 * number + i + 1 for i in range(4)]
        np.testing.assert_array_equal(volume.voxels, pixels[4 * number : 4 * number + 4])
        assert volume.tags["EchoTime"] == 30.0


def test_two_thousand_slices(tmp_path: Path) -> None:
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16)
    one = save(ct_slice(stored, (0, 0, 1234.5), 1, SOPInstanceUID="1.2.3.1111", SliceThickness=0.5), tmp_path)
    raw = one.read_bytes()
    one.unlink()
    files = []
    for i in range(2000):
        files.append(tmp_path / f"{i * 7919 % 2003:04d}.dcm")
        files[-1].write_bytes(
            raw.replace(b"1.2.3.1111", b"1.2.3.%04d" % (i + 1111)).replace(b"1234.5", b"%06.1f" % (0.5 * i))
        )
    (volume,) = read_series(files).volumes
    assert (volume.voxels.shape, volume.findings) == ((2000, 16, 16), ())


# Development data


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_development_data(development_data: Path, decoders: Decoders, name: str) -> None:
    folder = development_data / "dicom" / "series" / name
    others = Folder()
    found = [read_series(files, decoders=decoders) for _, files in find_series([folder], others)]
    assert others.others == []
    assert len(found) == len(FOLDERS[name])
    for series, expected in zip(found, FOLDERS[name], strict=True):
        _as_expected(series, expected)


def _as_expected(series: SeriesVolumes, expected: Ser) -> None:
    assert series.series_instance_uid.endswith(expected.uid)
    assert series.instances == expected.instances
    assert codes(series) == list(expected.findings)
    assert series.unreadable == ()
    assert [v.label for v in series.volumes] == [e.label for e in expected.volumes]
    for volume, wanted in zip(series.volumes, expected.volumes, strict=True):
        assert volume.geometry.shape == volume.voxels.shape == wanted.shape
        assert volume.geometry.spacing_mm == pytest.approx(wanted.spacing_mm, rel=1e-3)
        assert codes(volume) == list(wanted.findings)
        if volume.tags["Modality"] == "CT":
            assert volume.voxels.min() >= -1024


REGULAR = (
    "ct_chest_ge_lung",
    "ct_chest_overlap_novendor",
    "ct_chest_philips",
    "ct_pelvis_petct_ge",
    "ct_coronal_recon_nonsquare",
    "mr_generic_jpeg_lossless",
    "mr_generic_rle",
    "mr_ge_implicit",
    "mr_philips_anat",
    "mr_brain_sag_skyra",
    "mr_decubitus_hfdl",
    "mr_liver_haste_cor",
    "mr_pdt2_dual_echo",
    "mr_frag_jpegll",
)


@pytest.mark.parametrize("name", REGULAR)
def test_regular_series_lie_where_simpleitk_puts_them(development_data: Path, decoders: Decoders, name: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    ((_, files),) = find_series([development_data / "dicom" / "series" / name])
    (volume,) = read_series(files, decoders=decoders).volumes
    by_uid = {}
    for file in files:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(file))
        reader.ReadImageInformation()
        by_uid[reader.GetMetaData("0008|0018").strip("\x00 ")] = str(file)
    image = sitk.ReadImage([by_uid[s.sop_instance_uid] for s in volume.slices])
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    np.testing.assert_allclose(volume.geometry.affine_lps, affine, atol=2e-3)
    theirs = sitk.GetArrayFromImage(image)
    ours = volume.voxels
    if volume.tags["Modality"] == "CT":
        theirs = np.maximum(theirs, -1024)
    np.testing.assert_array_equal(ours, theirs)


def test_every_slice_lies_where_its_header_says(development_data: Path) -> None:
    for name in ("ct_head_ge_tilt_varspacing", "ct_missing_slice_ge", "mr_t2_missing_slice", "mr_multiecho_gre"):
        ((_, files),) = find_series([development_data / "dicom" / "series" / name])
        headers = {h.SOPInstanceUID: h for h in (pydicom.dcmread(f, stop_before_pixels=True) for f in files)}
        for volume in read_series(files).volumes:
            if FindingCode.VARIABLE_SPACING.value in codes(volume):
                continue
            gap_free = [i for i in range(99) if i not in volume.geometry.missing_positions]
            for slot, one in zip(gap_free, volume.slices, strict=False):
                at = np.array(volume.geometry.affine_lps) @ (0, 0, slot, 1)
                np.testing.assert_allclose(at[:3], headers[one.sop_instance_uid].ImagePositionPatient, atol=0.02)


def test_the_mosaic_is_split_as_dcm2niix_does(development_data: Path) -> None:
    """Centre of the first tile's first voxel and the direction of slices, as dcm2niix 1.0.20220720 writes them."""
    ((_, files),) = find_series([development_data / "dicom" / "series" / "mr_mosaic_siemens"])
    volume = read_series(files).volumes[0]
    affine = np.array(volume.geometry.affine_lps)
    np.testing.assert_allclose(affine[:3, 3], MOSAIC_ORIGIN_LPS, atol=1e-2)
    np.testing.assert_allclose(affine[:3, 2], MOSAIC_STEP_LPS, atol=1e-3)


@pytest.mark.parametrize(("lost", "codes_found"), [("ImageType", []), ("ImagePositionPatient", ["no_position"])])
def test_a_mosaic_without_an_attribute_is_split_all_the_same(
    development_data: Path, tmp_path: Path, lost: str, codes_found: list[str]
) -> None:
    ((_, files),) = find_series([development_data / "dicom" / "series" / "mr_mosaic_siemens"])
    changed = []
    for index, file in enumerate(files):
        dataset = pydicom.dcmread(file)
        del dataset[lost]
        changed.append(tmp_path / f"{index}.dcm")
        dataset.save_as(changed[-1])
    volumes = read_series(changed).volumes
    assert [volume.geometry.shape for volume in volumes] == [(40, 64, 64)] * 2
    assert [codes(volume) for volume in volumes] == [codes_found] * 2
    whole = read_series(files).volumes
    for volume, other in zip(volumes, whole, strict=True):
        np.testing.assert_array_equal(volume.voxels, other.voxels)


MOSAIC_ORIGIN_LPS = (-102.5, -129.7613, -55.7819)
MOSAIC_STEP_LPS = (0.0, 0.44497, 3.57239)
