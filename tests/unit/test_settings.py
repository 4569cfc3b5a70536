from __future__ import annotations

import tomllib

import pytest

from qagate.cli.template import settings_template
from qagate.errors import SettingsError
from qagate.receive.admission import rejection
from qagate.settings import Settings, load


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ("[node]\nprt = 104", {}, "node.prt: there is no such setting"),
        ("[node]\nport = 0", {}, "node.port"),
        ("[node]\nae_title = 'A VERY LONG AE TITLE'", {}, "got 'A VERY LONG AE TITLE'"),
        ("[[destinations]]\nname = 'PACS'", {}, "also needs ae_title, host, port"),
        ("[[destinations]]\nname = 'P'\nkind = 'stow'", {}, "also needs url"),
        ("[node", {}, "is not valid TOML"),
        ("", {"QAGATE__NODE__PRT": "1"}, "node.prt"),
        ("", {"QAGATE__WEB__HOST_FILE": "/nowhere"}, "cannot be read"),
        ("[[policies]]\nname = 'x'\nreview_below = 101", {}, "policies.0.review_below"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path, text, environment, says):
    path = tmp_path / "qagate.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=says.replace("(", r"\(")) as caught:
        load(path, environment)
    assert "Traceback" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="qagate init"):
        load(tmp_path / "none.toml", {})


def test_environment_over_file_over_default(tmp_path):
    path = tmp_path / "qagate.toml"
    path.write_text("[node]\nport = 104\nstation_name = 'A'\n[storage]\ndata_dir = 'spool-here'\n")
    secret = tmp_path / "host"
    secret.write_text("0.0.0.0\n")
    environment = {"QAGATE__NODE__PORT": "105", "QAGATE__WEB__HOST_FILE": str(secret), "OTHER": "x"}
    settings = load(path, environment)
    assert (settings.node.port, settings.node.station_name, settings.node.ae_title) == (105, "A", "QAGATE")
    assert settings.web.host == "0.0.0.0"
    assert settings.storage.data_dir == tmp_path / "spool-here"  # relative to the file


def test_spaces_around_an_ae_title_are_padding(tmp_path):
    (tmp_path / "q.toml").write_text('[node]\nae_title = "QAGATE "\npeers = [{ae_title = " CT1"}]\n')
    node = load(tmp_path / "q.toml", {}).node
    assert (node.ae_title, node.peers[0].ae_title) == ("QAGATE", "CT1")
    assert rejection(node, "CT1", "QAGATE", "10.0.0.1") is None
    with pytest.raises(SettingsError, match="at least 1 character"):
        load(None, {"QAGATE__NODE__AE_TITLE": "  "})


# 0 is no limit elsewhere; here nobody would ever be waited for
@pytest.mark.parametrize("name", ["ACSE_TIMEOUT_SECONDS", "DIMSE_TIMEOUT_SECONDS", "NETWORK_TIMEOUT_SECONDS"])
def test_no_patience_at_all_is_refused(name):
    with pytest.raises(SettingsError, match="greater than 0"):
        load(None, {f"QAGATE__NODE__{name}": "0"})


def test_the_template_means_the_defaults_and_names_every_setting():
    text = settings_template()
    assert Settings.model_validate(tomllib.loads(text)) == Settings()
    for section in Settings.model_fields.values():
        for name, field in getattr(section.annotation, "model_fields", {}).items():
            assert name in text
            assert field.description, name


def test_a_policy_can_hold_with_a_deadline_and_never_without(tmp_path):
    path = tmp_path / "qagate.toml"
    path.write_text("[[policies]]\nname = 'gate'\naction = 'hold'\n")
    assert load(path, {}).policies[0].hold_seconds == 900
    path.write_text("[[policies]]\nname = 'gate'\naction = 'hold'\nhold_seconds = 0\n")
    with pytest.raises(SettingsError, match="hold_seconds"):
        load(path, {})


def test_originals_go_to_dimse_destinations_only(tmp_path):
    path = tmp_path / "qagate.toml"
    path.write_text("[[destinations]]\nname = 'P'\nkind = 'stow'\nurl = 'https://p/dicom-web'\noriginals = true\n")
    with pytest.raises(SettingsError, match="must be of kind dimse"):
        load(path, {})
