"""Regions and organ from tags: one row per habit of some department somewhere."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from qagate.domain.volume import Tags
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()

# (language, tag, value, regions, organ)
# SD SeriesDescription, PN ProtocolName, ST StudyDescription, BP BodyPartExamined
WORDS = [
    # the words that the rules were first tried on
    ("de", "SD", "Schädel nativ 5.0 H31s", "head", "brain"),
    ("it", "SD", "TC ADDOME COMPLETO", "abdomen", None),
    ("fr", "SD", "Crâne sans injection", "head", "brain"),
    ("ja", "SD", "頭部単純 5mm", "head", "brain"),
    ("zh", "ST", "胸部CT平扫", "chest", None),
    ("de", "SD", "LWS sag T2", "spine", "spine"),
    ("en", "PN", "C-A-P w/contrast", "chest abdomen pelvis", None),
    ("en", "SD", "CAP_PV_3mm", "chest abdomen pelvis", None),
    ("en", "BP", "BRAIN", "head", "brain"),
    ("en", "SD", "BRAINLAB nav pelvis", "pelvis", None),
    ("en", "SD", "Cervical spine 2mm", "spine", "spine"),
    ("en", "SD", "Thoracic spine", "spine", "spine"),
    ("en", "SD", "Abd/Pel PV", "abdomen pelvis", None),
    ("de", "SD", "Knie li sag PD", "lower_extremity", "knee"),
    ("ru", "SD", "KT органов грудной клетки", "chest", None),
    ("ko", "SD", "복부 CT", "abdomen", None),
    ("de", "BP", "Bauch", "abdomen", None),
    ("de", "SD", "WS gesamt T2", "spine", "spine"),
    ("de", "SD", "Mittelfuß re", "lower_extremity", "ankle_foot"),
    ("de", "SD", "USG rechts", "lower_extremity", "ankle_foot"),
    ("nl", "SD", "Lage rug T2", "spine", "spine"),
    ("es", "SD", "Urotac", "abdomen", None),
    ("it", "SD", "Colangio RM", "abdomen", None),
    ("fr", "SD", "Uroscanner", "abdomen", None),
    ("nl", "SD", "Aangezicht", "head", None),
    ("nl", "SD", "Rotsbeen", "head", None),
    ("nl", "SD", "Nekwervels", "spine", "spine"),
    ("zh", "SD", "泌尿系平扫", "abdomen", None),
    ("zh", "SD", "腹主动脉CTA", "abdomen", "aorta"),
    ("ja", "SD", "躯幹造影", "chest abdomen pelvis", None),
    ("de", "SD", "Handwurzel", "upper_extremity", "wrist_hand"),
    ("de", "SD", "Kleinhirn", "head", "brain"),
    ("de", "SD", "Sakrum", "pelvis", None),
    ("de", "SD", "Aorta thorakal", "chest", "aorta"),
    ("en", "SD", "Lung 1.0 B70f", "chest", "lung"),
    ("en", "SD", "water 1.2", "", None),
    ("en", "SD", "MRCP 3D", "abdomen", None),
    ("en", "SD", "SERIES 3", "", None),
    ("de", "SD", "Prostata T2 ax", "pelvis", "prostate"),
    # English
    ("en", "SD", "Head Routine 5mm", "head", "brain"),
    ("en", "SD", "AX T2 BRAIN", "head", "brain"),
    ("en", "SD", "Orbits thin", "head", "orbit"),
    ("en", "SD", "SINUS CORONAL 2mm", "head", "sinus"),
    ("en", "SD", "TMJ OPEN", "head", "jaw"),
    ("en", "SD", "Soft tissue neck", "neck", None),
    ("en", "SD", "Thyroid axial", "neck", "thyroid"),
    ("en", "SD", "LARYNX thin", "neck", "larynx"),
    ("en", "SD", "HeadNeck 3mm", "head neck", None),
    ("en", "SD", "CTPA 1mm", "chest", "lung"),
    ("en", "SD", "HRCT chest insp", "chest", "lung"),
    ("en", "SD", "Coronary CTA 75%", "chest", "heart"),
    ("en", "SD", "Ca Score 3.0", "chest", "heart"),
    ("en", "SD", "Breast dyn pre", "breast", "breast"),
    ("en", "SD", "LIVER arterial", "abdomen", "liver"),
    ("en", "SD", "Pancreas protocol", "abdomen", "pancreas"),
    ("en", "SD", "Adrenals wo", "abdomen", "adrenal"),
    ("en", "SD", "Renal stone", "abdomen", "kidney"),
    ("en", "SD", "MR Enterography cor", "abdomen", "bowel"),
    ("en", "SD", "Bony pelvis 2mm", "pelvis", None),
    ("en", "SD", "Rectum hi-res T2", "pelvis", "rectum"),
    ("en", "SD", "Uterus sag T2", "pelvis", "uterus"),
    ("en", "SD", "Fetal brain HASTE", "head pelvis", None),
    ("en", "SD", "L-Spine sag STIR", "spine", "spine"),
    ("en", "SD", "Lumbar sag", "spine", "spine"),
    ("en", "SD", "Rt Shoulder PD FS", "upper_extremity", "shoulder"),
    ("en", "SD", "Elbow cor", "upper_extremity", "elbow"),
    ("en", "SD", "Left Wrist axial", "upper_extremity", "wrist_hand"),
    ("en", "SD", "Hip bilat cor", "lower_extremity", "hip"),
    ("en", "SD", "Femur both", "lower_extremity", "thigh"),
    ("en", "SD", "Ankle sag", "lower_extremity", "ankle_foot"),
    ("en", "SD", "CTA RUNOFF legs", "lower_extremity", None),
    ("en", "SD", "CT WB 5.0 B30s", "whole_body", None),
    ("en", "SD", "TAP portal", "chest abdomen pelvis", None),
    ("en", "SD", "CheAbdPel 5.0 B30f", "chest abdomen pelvis", None),
    ("en", "SD", "Chest/Abd  3.0  B20f", "chest abdomen", None),
    ("en", "SD", "ThoraxRoutine 5.0", "chest", None),
    # German
    ("de", "SD", "Thorax nativ 3.0", "chest", None),
    ("de", "SD", "Lungenembolie 1.0", "chest", "lung"),
    ("de", "SD", "Oberbauch ven.", "abdomen", None),
    ("de", "SD", "Leber dyn. ax", "abdomen", "liver"),
    ("de", "SD", "Nieren nativ", "abdomen", "kidney"),
    ("de", "SD", "Becken ax", "pelvis", None),
    ("de", "SD", "Halswirbelsäule sag", "spine", "spine"),
    ("de", "SD", "HWS sag T1", "spine", "spine"),
    ("de", "SD", "Hals KM", "neck", None),
    ("de", "SD", "Kniegelenk re cor", "lower_extremity", "knee"),
    ("de", "SD", "Sprunggelenk li", "lower_extremity", "ankle_foot"),
    ("de", "SD", "Schulter re PD fs", "upper_extremity", "shoulder"),
    ("de", "SD", "Handgelenk cor", "upper_extremity", "wrist_hand"),
    ("de", "SD", "NNH cor 2.0", "head", "sinus"),
    ("de", "SD", "Herz kurze Achse", "chest", "heart"),
    ("de", "SD", "Ganzkörper STIR", "whole_body", None),
    # French
    ("fr", "SD", "Cerveau ax FLAIR", "head", "brain"),
    ("fr", "SD", "Thorax injecté", "chest", None),
    ("fr", "SD", "Foie artériel", "abdomen", "liver"),
    ("fr", "SD", "Bassin ax", "pelvis", None),
    ("fr", "SD", "Rachis lombaire sag", "spine", "spine"),
    ("fr", "SD", "Genou droit sag DP", "lower_extremity", "knee"),
    ("fr", "SD", "Épaule gauche", "upper_extremity", "shoulder"),
    ("fr", "SD", "Cheville cor", "lower_extremity", "ankle_foot"),
    ("fr", "SD", "Membre inférieur", "lower_extremity", None),
    # Spanish
    ("es", "SD", "CRÁNEO SIMPLE", "head", "brain"),
    ("es", "SD", "Tórax contrastado", "chest", None),
    ("es", "SD", "Hígado dinámico", "abdomen", "liver"),
    ("es", "SD", "RODILLA DERECHA SAG", "lower_extremity", "knee"),
    ("es", "SD", "Columna lumbar T2", "spine", "spine"),
    ("es", "SD", "Columna torácica T2", "spine", "spine"),
    ("es", "SD", "CUELLO con contraste", "neck", None),
    ("es", "SD", "Senos paranasales", "head", "sinus"),
    # Italian
    ("it", "SD", "Encefalo ax T2", "head", "brain"),
    ("it", "SD", "Torace ad alta risoluzione", "chest", None),
    ("it", "SD", "Fegato diffusione", "abdomen", "liver"),
    ("it", "SD", "Ginocchio dx", "lower_extremity", "knee"),
    ("it", "SD", "Spalla sin", "upper_extremity", "shoulder"),
    ("it", "SD", "Rachide cervicale", "spine", "spine"),
    # Portuguese
    ("pt", "SD", "Crânio sem contraste", "head", "brain"),
    ("pt", "SD", "Tórax alta resolução", "chest", None),
    ("pt", "SD", "Abdome superior", "abdomen", None),
    ("pt", "SD", "Joelho esquerdo", "lower_extremity", "knee"),
    ("pt", "SD", "Coluna lombar", "spine", "spine"),
    # Dutch
    ("nl", "SD", "Hersenen ax", "head", "brain"),
    ("nl", "SD", "Buik blanco", "abdomen", None),
    ("nl", "SD", "Lumbale wervelkolom", "spine", "spine"),
    ("nl", "SD", "Schouder rechts", "upper_extremity", "shoulder"),
    # Nordic languages
    ("sv", "SD", "Hjärna T1", "head", "brain"),
    ("sv", "SD", "Buk med kontrast", "abdomen", None),
    ("sv", "SD", "Knä vänster", "lower_extremity", "knee"),
    ("da", "SD", "Hjerne FLAIR", "head", "brain"),
    ("fi", "SD", "Vatsa ven", "abdomen", None),
    ("fi", "SD", "Polvi sag", "lower_extremity", "knee"),
    # Polish, Czech, Hungarian, Romanian, Turkish
    ("pl", "SD", "Głowa bez kontrastu", "head", "brain"),
    ("pl", "SD", "Klatka piersiowa", "chest", None),
    ("pl", "SD", "Jama brzuszna", "abdomen", None),
    ("pl", "SD", "Kręgosłup lędźwiowy", "spine", "spine"),
    ("cs", "SD", "Mozek T2", "head", "brain"),
    ("cs", "SD", "Břicho venózní", "abdomen", None),
    ("cs", "SD", "Páteř LS", "spine", "spine"),
    ("hu", "SD", "Koponya natív", "head", "brain"),
    ("hu", "SD", "Mellkas", "chest", None),
    ("ro", "SD", "Genunchi drept", "lower_extremity", "knee"),
    ("tr", "SD", "Beyin MR", "head", "brain"),
    ("tr", "SD", "TORAKS BT", "chest", None),
    ("tr", "SD", "Karaciğer dinamik", "abdomen", "liver"),
    ("tr", "SD", "Omuz sağ", "upper_extremity", "shoulder"),
    # Greek
    ("el", "SD", "ΕΓΚΕΦΑΛΟΣ", "head", "brain"),
    ("el", "SD", "Θώρακας", "chest", None),
    ("el", "SD", "Κοιλία", "abdomen", None),
    # Russian and Ukrainian
    ("ru", "SD", "Головной мозг Т2", "head", "brain"),
    ("ru", "SD", "Голова нативно", "head", "brain"),
    ("ru", "SD", "Брюшная полость", "abdomen", None),
    ("ru", "SD", "Органы малого таза", "pelvis", None),
    ("ru", "SD", "Грудной отдел позвоночника", "spine", "spine"),
    ("ru", "SD", "Шейный отдел позвоночника", "spine", "spine"),
    ("ru", "SD", "Коленный сустав", "lower_extremity", "knee"),
    ("ru", "SD", "Печень с контрастом", "abdomen", "liver"),
    ("ru", "SD", "лёгкие", "chest", "lung"),
    ("uk", "SD", "Черевна порожнина", "abdomen", None),
    # Chinese
    ("zh", "SD", "头颅平扫", "head", "brain"),
    ("zh", "SD", "上腹部增强", "abdomen", None),
    ("zh", "SD", "肝脏动脉期", "abdomen", "liver"),
    ("zh", "SD", "盆腔MR", "pelvis", None),
    ("zh", "SD", "腰椎矢状", "spine", "spine"),
    ("zh", "SD", "膝关节 PD", "lower_extremity", "knee"),
    ("zh", "SD", "冠状动脉CTA", "chest", "heart"),
    # Japanese
    ("ja", "SD", "胸部造影", "chest", None),
    ("ja", "SD", "肝臓ダイナミック", "abdomen", "liver"),
    ("ja", "SD", "骨盤 T2", "pelvis", None),
    ("ja", "SD", "胸椎 T2", "spine", "spine"),
    ("ja", "SD", "頭頸部", "head neck", None),
    ("ja", "SD", "肩関節", "upper_extremity", "shoulder"),
    ("ja", "SD", "手術後", "", None),  # "after surgery" holds the character for "hand"
    # Korean
    ("ko", "SD", "두부 CT", "head", "brain"),
    ("ko", "SD", "흉부 CT", "chest", None),
    ("ko", "SD", "손목 MRI", "upper_extremity", "wrist_hand"),  # holds the syllable for "neck"
    ("ko", "SD", "무릎 MRI", "lower_extremity", "knee"),
    ("ko", "SD", "요추 T2", "spine", "spine"),
    # Arabic, Hebrew, Thai, Vietnamese, Indonesian
    ("ar", "SD", "الصدر", "chest", None),
    ("he", "SD", "בטן", "abdomen", None),
    ("th", "SD", "ช่องท้อง", "abdomen", None),
    ("vi", "SD", "Sọ não", "head", "brain"),
    ("id", "SD", "Kepala", "head", "brain"),
    # what misleads
    ("en", "SD", "Head first supine", "", None),
    ("en", "SD", "HEAD COIL test", "", None),
    ("en", "SD", "Neck coil", "", None),
    ("en", "SD", "Femoral head cor", "lower_extremity", "thigh"),
    ("en", "SD", "Liver arms up", "abdomen", "liver"),
    ("en", "SD", "phase A>>P", "", None),
    ("en", "SD", "", "", None),
    # defined terms, near terms and free text in BodyPartExamined
    ("en", "BP", "CHEST", "chest", None),
    ("en", "BP", "TH CT CHEST WO C", "chest", None),
    ("en", "BP", "chest abd pelvis", "chest abdomen pelvis", None),
    ("en", "BP", "CHESTABDPELVIS", "chest abdomen pelvis", None),
    ("en", "BP", "C SPINE", "spine", "spine"),
    ("en", "BP", "EXTREMITY", "", None),
    ("en", "BP", "LIVER", "abdomen", "liver"),
    ("en", "BP", "HIP", "lower_extremity", "hip"),
    ("en", "BP", "HEAD_NECK", "head neck", None),
    ("en", "BP", "CERVICALSPINE", "spine", "spine"),
    ("en", "BP", "LKNEE", "lower_extremity", "knee"),
    ("en", "BP", "RSHOULDER", "upper_extremity", "shoulder"),
    ("en", "BP", "UPPERABDOMEN", "abdomen", None),
    ("en", "BP", "LOW_EXM", "lower_extremity", None),
]
_TAGS = {"SD": "SeriesDescription", "PN": "ProtocolName", "ST": "StudyDescription", "BP": "BodyPartExamined"}


def test_the_table_is_large_enough() -> None:
    assert len(WORDS) >= 120
    assert len({language for language, *_ in WORDS}) >= 12


@pytest.mark.parametrize(("language", "tag", "value", "regions", "organ"), WORDS)
def test_words(language: str, tag: str, value: str, regions: str, organ: str | None) -> None:
    prompt = infer({"Modality": "MR", _TAGS[tag]: value}, RULES)
    assert " ".join(prompt.regions) == regions
    assert prompt.organ == organ
    assert (prompt.confidence > 0.5) == bool(regions)


SEVERAL: list[tuple[Tags, str, str | None, bool]] = [
    # series and protocol agree against a protocol's default body part
    ({"BodyPartExamined": "CHEST", "SeriesDescription": "Head 5mm", "ProtocolName": "HEAD 1"}, "head", "brain", True),
    ({"AnatomicRegionSequence": ("SCT:12738006",), "BodyPartExamined": "HEAD"}, "head", "brain", False),
    ({"StudyDescription": "CT CRANEO Y CUELLO", "SeriesDescription": "CUELLO"}, "neck", None, False),
    ({"SeriesDescription": "KT органов грудной клетки", "StudyDescription": "легких"}, "chest", "lung", False),
    # a code outweighs a word that contradicts it
    ({"AnatomicRegionSequence": ("SCT:72696002",), "BodyPartExamined": "CHEST"}, "lower_extremity", "knee", True),
    ({"AnatomicRegionSequence": ("SRT:T-D4000",)}, "abdomen", None, False),
    ({"AnatomicRegionSequence": ("sct:69536005", "SCT:774007")}, "head neck", None, False),
    ({"ProcedureCodeSequence": ("SCT:51185008",), "BodyPartExamined": "CHEST"}, "chest", None, False),
    ({"ProcedureCodeSequence": ("99X:1",), "ProcedureCodeSequenceMeaning": ("Lunge",)}, "chest", "lung", False),
    # neighbours do not contradict one another
    ({"BodyPartExamined": "ABDOMEN", "SeriesDescription": "Pelvis 3mm"}, "abdomen pelvis", None, False),
    ({"BodyPartExamined": "CHEST", "SeriesDescription": "T-Spine sag"}, "chest spine", None, False),
    # "lung" is also a kernel: what the protocol names besides does not speak against it
    ({"SeriesDescription": "lung", "ProtocolName": "Chest/Abd/Pel", "StudyDescription": "CAP"}, "chest", "lung", False),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "regions", "organ", "conflict"), SEVERAL)
def test_several_tags(tags: Tags, regions: str, organ: str | None, conflict: bool) -> None:
    prompt = infer({"Modality": "CT", **tags}, RULES)
    assert (" ".join(prompt.regions), prompt.organ, prompt.conflict) == (regions, organ, conflict)
    assert prompt.confidence > 0.5
    assert any(f.code.value == "prompt_conflict" for f in prompt.findings) == conflict


@pytest.mark.parametrize(
    ("tags", "regions"),
    [
        # the scanner's default body part: the series' own words are believed, with little confidence
        ({"BodyPartExamined": "HEAD", "SeriesDescription": "Abdomen 5.0"}, "abdomen"),
        ({"BodyPartExamined": "HEAD", "SeriesDescription": "pd_tse_fs_sag", "ProtocolName": "Knie"}, "lower_extremity"),
        ({"BodyPartExamined": "FOOT", "SeriesDescription": "Head and neck"}, "head neck"),
        # two of equal weight: neither is taken back
        ({"AnatomicRegionSequenceMeaning": ("Knee",), "SeriesDescription": "Abdomen"}, "abdomen lower_extremity"),
    ],
)
def test_of_tags_that_contradict_one_another_the_most_trusted_is_believed(tags: Tags, regions: str) -> None:
    prompt = infer({"Modality": "MR", **tags}, RULES)
    assert (" ".join(prompt.regions), prompt.conflict) == (regions, True)
    assert prompt.confidence < 0.5


@pytest.mark.parametrize("cid", ["cid4030", "cid4031"])
def test_every_code_of_the_standard_names_a_region(cid: str) -> None:
    """PS3.16 CID 4030 (CT, MR and PET Anatomy) and 4031 (Common Anatomic Regions)."""
    group = getattr(codes, cid)
    named_not = set()
    for name in group.dir():
        code = getattr(group, name)
        if not infer({"AnatomicRegionSequence": (f"{code.scheme_designator}:{code.value}",)}, RULES).regions:
            named_not.add(code.meaning)
    assert named_not == {"Extremity", "Phantom"}  # one of four, and of no body


def test_a_part_of_the_head_is_not_the_brain() -> None:
    assert infer({"SeriesDescription": "Felsenbein"}, RULES).organ is None
    assert infer({"BodyPartExamined": "FACIAL BONES"}, RULES).organ is None
    assert infer({"SeriesDescription": "Felsenbein", "BodyPartExamined": "HEAD"}, RULES).organ == "brain"


def test_a_repeated_text_counts_once() -> None:
    one = infer({"SeriesDescription": "Thorax"}, RULES)
    two = infer({"SeriesDescription": "Thorax", "ProtocolName": "THORAX", "StudyDescription": "thorax"}, RULES)
    assert one.confidence == two.confidence


def test_agreement_raises_and_conflict_lowers_confidence() -> None:
    alone = infer({"BodyPartExamined": "HEAD"}, RULES)
    agreed = infer({"BodyPartExamined": "HEAD", "SeriesDescription": "Hirn"}, RULES)
    torn = infer({"BodyPartExamined": "KNEE", "SeriesDescription": "Hirn"}, RULES)
    assert torn.confidence < alone.confidence < agreed.confidence


def test_anonymised_tags_are_unknown() -> None:
    prompt = infer({"Modality": "CT", "SeriesDescription": "ANONYMIZED", "BodyPartExamined": "REMOVED"}, RULES)
    assert prompt.regions == ()
    assert prompt.organ is None
    assert prompt.confidence == 0.0
    assert [f.code.value for f in prompt.findings] == ["prompt_unknown"]


def test_a_ct_of_the_breast_needs_more_than_a_body_part_tag() -> None:
    # 3 x 0.6 - 1.5 = 0.3 < 1: a trial's name that stands in the body part
    assert infer({"Modality": "CT", "BodyPartExamined": "BREAST"}, RULES).regions == ()
    assert infer({"Modality": "MR", "BodyPartExamined": "BREAST"}, RULES).regions == ("breast",)


def test_evidence_names_tag_value_rule_and_weight() -> None:
    chain = infer({"Modality": "CT", "SeriesDescription": "Schädel nativ"}, RULES).evidence
    first = next(e for e in chain if e.says == "region:head")
    assert (first.tag, first.value, first.rule, first.weight) == (
        "SeriesDescription", "Schädel nativ", "region/head/word:schadel", 2.7,  # 3 x 0.9
    )  # fmt: skip
