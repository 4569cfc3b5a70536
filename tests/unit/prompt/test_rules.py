"""The rules file: shipped rules hold together, a site's file merges, mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr._snomed_dict import mapping

from qagate.assemble.tags import flatten
from qagate.domain.prompt import ORGANS, REGIONS
from qagate.errors import SettingsError
from qagate.prompt.infer import infer
from qagate.prompt.rules import SHIPPED, load_rules
from qagate.report import codes


def site(folder: Path, content: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_every_region_and_organ_has_rules() -> None:
    rules = load_rules()
    assert {t.name for t in rules.regions} == set(REGIONS)
    assert {t.name for t in rules.organs} == set(ORGANS)


def test_old_codes_stand_for_the_same_thing_as_new_ones() -> None:
    rules = load_rules()
    for target in (*rules.regions, *rules.organs):
        for code in target.codes:
            if code.startswith("SRT:"):
                assert f"SCT:{mapping['SRT'][code[4:]]}" in target.codes
            elif old := mapping["SCT"].get(code[4:]):
                assert f"SRT:{old}" in target.codes


def test_every_code_that_a_report_writes_is_read() -> None:
    rules, written = load_rules(), codes.load()
    for target in (*rules.regions, *rules.organs):
        code = (written.organs if target.name in written.organs else written.regions)[target.name]
        assert f"{code.scheme}:{code.value}" in target.codes


@pytest.mark.parametrize("code", ["SRT:R-FAB56", "SNM3:R-FAB56", "99SDM: R-FAB56", "SCT:416775004"])
def test_chest_abdomen_and_pelvis_is_one_code(code: str) -> None:
    found = infer({"Modality": "CT", "AnatomicRegionSequence": (code,)}, load_rules())
    assert found.regions == ("chest", "abdomen", "pelvis")


def test_codes_of_two_organs_do_not_overlap() -> None:
    seen: dict[str, str] = {}
    for organ in load_rules().organs:
        for code in organ.codes:
            assert seen.setdefault(code, organ.name) == organ.name, code


def test_a_site_adds_words_and_takes_some_out(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        """
        version: "hospital-3"
        sources: {BodyPartExamined: {trust: 0.2}}
        organs: {liver: {words: [lebr, "!hati"]}}
        vetoes: [{id: our-room, words: [knee room]}]
        """,
    )
    rules = load_rules(path)
    assert rules.version == f"{load_rules().version}+hospital-3"
    assert infer({"SeriesDescription": "LEBR 3mm"}, rules).organ == "liver"
    assert infer({"SeriesDescription": "hati"}, rules).organ is None
    assert infer({"SeriesDescription": "hati"}, load_rules()).organ == "liver"
    assert infer({"SeriesDescription": "Knee room 2"}, rules).regions == ()
    assert infer({"BodyPartExamined": "HEAD"}, rules).regions == ()  # 3 x 0.2 = 0.6 < 1


def test_a_site_replaces_and_switches_off_rules_by_id(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        """
        exclusions:
          - {id: reformat-words, remove: true}
          - {id: our-test-scans, to: phantom, says: "A test scan.", when: {StudyDescription: {words: [servicetest]}}}
        kernels:
          - {id: our-name, vendor: siemens, kernel: '^OURS$', to: sharp}
        """,
    )
    rules = load_rules(path)
    assert infer({"Modality": "CT", "SeriesDescription": "Thorax MPR"}, rules).exclusions == ()
    tested = infer({"Modality": "CT", "StudyDescription": "Servicetest"}, rules).exclusions
    assert [f.code.value for f in tested] == ["phantom"]
    assert infer({"Modality": "CT", "Manufacturer": "Siemens", "ConvolutionKernel": "OURS"}, rules).kernel == "sharp"


def test_a_site_adds_codes_of_its_own_schemes(tmp_path: Path) -> None:
    """Made-up numbers: a site writes those of its own examination catalogue."""
    path = site(
        tmp_path,
        """
        regions: {chest: {codes: ["LN:99901-1", "RADLEX:RPID99901"]}}
        organs: {liver: {codes: [LN:99902-2]}}
        groups: {trauma_spiral: {regions: [head, neck, chest, abdomen, pelvis], codes: ["99LOCAL: CT-17"]}}
        """,
    )
    rules = load_rules(path)
    for keyword in ("ProcedureCodeSequence", "RequestedProcedureCodeSequence"):
        assert infer({keyword: ("LN:99901-1",)}, rules).regions == ("chest",)
        assert infer({keyword: ("RADLEX:RPID99901",)}, rules).regions == ("chest",)
        assert infer({keyword: ("LN:99902-2",)}, rules).organ == "liver"
        assert infer({keyword: ("LN:99901-1",)}, load_rules()).regions == ()
        assert infer({keyword: ("SCT:51185008",)}, rules).regions == ("chest",)  # the shipped ones stay
    several = infer({"ProcedureCodeSequence": ("99LOCAL:CT-17",)}, rules)
    assert several.regions == ("head", "neck", "chest", "abdomen", "pelvis")
    (evidence,) = infer({"ProcedureCodeSequence": ("LN:99901-1",)}, rules).evidence
    assert (evidence.says, evidence.rule) == ("region:chest", "region/chest/code:LN:99901-1")


def test_codes_of_a_requested_procedure_reach_the_rules(tmp_path: Path) -> None:
    code, request = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "RPID99901", "RADLEX", "made up"
    request.RequestedProcedureCodeSequence = Sequence([code])
    whole = Dataset()
    whole.RequestAttributesSequence = Sequence([request])
    rules = load_rules(site(tmp_path, "regions: {chest: {codes: [RADLEX:RPID99901]}}"))
    assert infer(flatten(whole), rules).regions == ("chest",)


WRONG = [
    ("regions: {chest: {codes: [12345]}}", "regions.chest.codes", "12345"),
    ("regoins: {}", "regoins", "regoins"),
    ("regions: {haed: {words: [x]}}", "regions", "haed"),
    ("regions: {head: {wrods: [x]}}", "regions.head.wrods", "wrods"),
    ("sources: {BodyPartExamined: {trust: 7}}", "sources.BodyPartExamined.trust", "7"),
    ("sources: {BodyPartExamined: {trust: high}}", "sources.BodyPartExamined.trust", "high"),
    ("kernels: [{id: k, kernel: '(', to: soft}]", "kernels[k].kernel", "("),
    ("kernels: [{id: k, kernel: 'A', to: blurry}]", "kernels[k].to", "blurry"),
    ("kernels: [{kernel: 'A', to: soft}]", "kernels[0]", "kernel"),
    ("sequences: [{id: s, to: T9, when: {EchoTime: {gt: 1}}}]", "sequences[s].to", "T9"),
    ("sequences: [{id: s, to: T1, when: {EchoTime: {above: 1}}}]", "sequences[s].when.EchoTime.above", "above"),
    ("exclusions: [{id: e, to: gantry_tilt, when: {ImageType: {any: [X]}}}]", "exclusions[e].to", "gantry_tilt"),
    ("exclusions: [{id: nothing, remove: true}]", "exclusions[0]", "nothing"),
    ("organs: {liver: {words: ['!nosuchword']}}", "organs.liver.words", "nosuchword"),
    ("organs: {liver: {words: ['**']}}", "organs.liver.words", "**"),
    ("organs: {liver: {words: liver}}", "organs.liver.words", "liver"),
    ("organs: {liver: {words: [no]}}", "organs.liver.words", "False"),
    ("- a list", "mapping", "list"),
    ("a: [", "YAML", ""),
]


@pytest.mark.parametrize(("content", "key", "got"), WRONG)
def test_mistakes_are_named(tmp_path: Path, content: str, key: str, got: str) -> None:
    path = site(tmp_path, content)
    with pytest.raises(SettingsError) as caught:
        load_rules(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert key in message
    assert got in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        load_rules(tmp_path / "nowhere.yaml")


def test_every_source_and_part_of_the_rules_is_documented() -> None:
    page = (SHIPPED.parents[2] / "docs" / "prompt-rules.md").read_text(encoding="utf-8")
    rules = load_rules()
    missing = [source.tag for source in rules.sources if f"`{source.tag}`" not in page]
    missing += [part for part in type(rules).__dataclass_fields__ if f"`{part}`" not in page]
    assert missing == []
