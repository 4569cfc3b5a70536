from __future__ import annotations

from qagate.web import stack


def assessed(*scores, limit=50, shape=(3, 64, 64), index=0, score=50.0):
    return {
        "slices": [{"score": score} for score in scores],
        "policy": {"limit": limit},
        "geometry": {"shape": list(shape), "affine_lps": [], "spacing_mm": [3.0, 1.0, 1.0]},
        "source": {"volume_index": index},
        "prompt": {"modality": "CT", "regions": ["chest"]},
        "score": score,
    }


def test_curve_breaks_where_there_is_no_score():
    found = stack.curve(assessed(90.0, 80.0, None, 70.0))
    # x is slice + 0.5, y is 100 - score; a lone slice still gets a stroke
    assert found["paths"] == ["M0.5,10L1.5,20", "M3.5,30h0"]
    assert found["worst"] == [(3, 70.0), (1, 80.0), (0, 90.0)]


def test_no_curve_of_one_slice():
    assert stack.curve(assessed(90.0, None)) is None


def test_viewer_starts_at_the_worst_slice_with_the_fitting_window():
    found = stack.viewer("1.2", assessed(90.0, 20.0, 70.0), there=True)
    assert found["start"] == 1
    assert found["windows"][0] == {"name": "Lung", "low": -1350.0, "high": 150.0}  # -600 ± 750 HU
    assert len(found["windows"]) == 5


def test_viewer_without_scores_starts_in_the_middle_and_needs_a_volume():
    assert stack.viewer("1.2", assessed(None, None, None), there=False)["start"] == 1
    assert stack.viewer("1.2", assessed(shape=(0, 0, 0)), there=True) is None


def test_magnetic_resonance_has_no_hounsfield_windows():
    assert stack.windows("MR", ["head"])[0] == {"name": "Automatic", "low": None, "high": None}


def test_what_was_not_scored_may_not_be_in_hounsfield_units():
    names = [one["name"] for one in stack.windows("CT", ["abdomen"], usual=False)]
    assert names == ["Automatic", "Abdomen", "Brain", "Neck", "Lung"]


def test_windows_of_a_region_without_a_window_of_its_own():
    assert stack.windows("CT", ["breast"])[0]["name"] == "Soft tissue"


def test_the_volume_asked_for_else_the_worst():
    volumes = [assessed(score=80.0), assessed(score=None, index=1), assessed(score=30.0, index=2)]
    assert stack.chosen(volumes, 1)["source"]["volume_index"] == 1
    assert stack.chosen(volumes, None)["source"]["volume_index"] == 2
    assert stack.chosen(volumes, 9)["source"]["volume_index"] == 2
