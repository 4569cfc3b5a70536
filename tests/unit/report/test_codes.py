"""The vocabulary: complete, well formed, and true to the standard's own tables where it quotes them."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.finding import FindingCode
from qagate.domain.prompt import ORGANS, REGIONS
from qagate.errors import ReportError
from qagate.report.codes import PRIVATE_DESIGNATOR, Code, load, parse

TEXT = files("qagate.report").joinpath("codes.yaml").read_text(encoding="utf-8")


def members(cid: int) -> set[tuple[str, str]]:
    """(scheme, value) of a context group, as pydicom knows it."""
    found = set()
    for scheme, names in cid_concepts[cid].items():
        for name in names:
            found |= {(scheme, value) for value, (_, cids) in concepts[scheme][name].items() if cid in cids}
    return found


def every_code() -> list[Code]:
    vocabulary = load()
    codes = [*vocabulary.concepts.values(), *vocabulary.procedures.values(), *vocabulary.severities.values()]
    codes += [*vocabulary.reasons.values(), *vocabulary.regions.values(), *vocabulary.organs.values()]
    codes += [*vocabulary.measurements.values(), *(term.code for term in vocabulary.terms.values())]
    for answer in vocabulary.outcomes.values():
        codes += [code for code in (answer.code, answer.quality, answer.assessment) if code]
    return codes


@pytest.mark.parametrize("name", [*ATTRIBUTES, *FindingCode])
@pytest.mark.parametrize("modality", ["CT", "MR", None])
def test_everything_the_domain_can_say_has_a_code_and_a_reason(name: str, modality: str | None) -> None:
    named = {word for word, _ in load().terms}
    term = load().term(str(name), modality)
    assert str(name) in named
    assert (term.reason.scheme, term.reason.value) in members(7011)


def test_attributes_and_findings_are_told_apart() -> None:
    codes = {(name, modality): (t.code.scheme, t.code.value) for (name, modality), t in load().terms.items()}
    plain = [code for (_, modality), code in codes.items() if not modality]
    assert len(plain) == len(set(plain))


@pytest.mark.parametrize(("words", "table"), [(REGIONS, "regions"), (ORGANS, "organs")])
def test_every_place_in_the_body_has_a_code(words: tuple[str, ...], table: str) -> None:
    assert set(words) <= set(getattr(load(), table))


def test_values_are_short_enough_for_code_value_and_meanings_for_code_meaning() -> None:
    for code in every_code():
        assert 0 < len(code.value) <= 16, code  # SH
        assert 0 < len(code.meaning) <= 64, code  # LO


def test_one_code_has_one_meaning() -> None:
    meanings: dict[tuple[str, str], str] = {}
    for code in every_code():
        assert meanings.setdefault((code.scheme, code.value), code.meaning) == code.meaning


NEWER = ("131360",)  # Rejection Withdrawn, in the code table of 2026b; pydicom's is older


def test_standard_codes_are_quoted_as_the_standard_has_them() -> None:
    known = {
        (scheme, value, meaning)
        for scheme in ("DCM", "SCT", "RADLEX", "LN")
        for rows in concepts[scheme].values()
        for value, (meaning, _) in rows.items()
    }
    listed = {(scheme, value) for scheme, value, _ in known}
    for code in every_code():
        # what pydicom does not list cannot be checked here, except that DCM is complete there up to its edition
        if (code.scheme, code.value) in listed and code.meaning not in ("Severity",):
            assert (code.scheme, code.value, code.meaning) in known
        elif code.scheme == "DCM" and code.value not in NEWER:
            pytest.fail(f"{code} is not in the standard's table")


@pytest.mark.parametrize(
    ("table", "cid"),
    [("severities", 3716), ("procedures", 100), ("reasons", 7011), ("regions", 4031)],
)
def test_tables_stay_inside_their_context_group(table: str, cid: int) -> None:
    assert {(code.scheme, code.value) for code in getattr(load(), table).values()} <= members(cid)


def test_verdicts_use_the_groups_for_quality() -> None:
    for answer in load().outcomes.values():
        if answer.quality:
            assert (answer.quality.scheme, answer.quality.value) in members(7036)
        if answer.assessment:
            assert (answer.assessment.scheme, answer.assessment.value) in members(6044)
    assert load().outcomes["unscored"].quality is None


def test_metal_and_noise_depend_on_the_modality() -> None:
    assert load().term("metal", "MR").code.value == "RID11370"
    assert load().term("metal", "CT").code.value == "METAL"
    assert load().term("noise", "CT").reason.meaning == "Under exposed"
    assert load().term("noise", "MR").reason.meaning == "Image artifact(s)"


@pytest.mark.parametrize(
    "name", ["x", "edge_width_at_the_body_surface", "edge_width_at_the_body_wall", "größe", "", "a-b"]
)
def test_what_is_not_in_the_vocabulary_gets_a_private_code(name: str) -> None:
    code = load().measurement(name)
    assert code.scheme == PRIVATE_DESIGNATOR
    assert code.value
    assert len(code.value) <= 16
    assert code.value.isascii()
    assert code.meaning


def test_long_names_that_begin_alike_stay_apart() -> None:
    one, other = load().measurement("edge_width_at_the_body_wall"), load().measurement("edge_width_at_the_body_top")
    assert one.value != other.value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("attributes", "noise", "ko"), "bad luck", "attributes.noise: ko must be one of"),
        (("attributes", "noise", "code"), ["DCM", 130578, "Poor SNR"], "all of them text, got"),
        (("attributes", "blur", "code"), ["99QAGATE", "B" * 17, "Blur"], "at most 16 characters"),
        (("attributes", "blur", "code"), ["99OTHER", "BLUR", "Blur"], "the only private scheme is 99QAGATE"),
        (("organs", "liver", None), None, "organs: no code for liver"),
        (("findings", "phantom", None), None, "findings: no code for phantom"),
    ],
)
def test_faults_are_named(path: tuple[str, str, str | None], value: object, message: str) -> None:
    data = yaml.safe_load(TEXT)
    section, name, key = path
    if key is None:
        del data[section][name]
    else:
        data[section][name][key] = value
    with pytest.raises(ReportError, match=message.replace(".", r"\.")):
        parse(yaml.safe_dump(data))


@pytest.mark.parametrize("text", ["", "[]", "schema: other/1", "a: [1"])
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ReportError):
        parse(text)
