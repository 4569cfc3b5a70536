"""What the environment and files of secrets may say, and what is never said of a secret."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from qagate.cli.template import OPTIONAL, TABLES, settings_template
from qagate.deliver.web import name_of
from qagate.domain.alert import is_quiet
from qagate.errors import SettingsError
from qagate.settings import Settings, load
from qagate.store.database import shown
from qagate.work.preflight import _alerts, _for_the_pacs_team

SECRET = "s3cret"
STOW = "[[destinations]]\nname = 'P.1'\nkind = 'stow'\nurl = 'https://p/dicom-web'\n"
LDAP = "[people.ldap]\nurl = 'ldaps://l'\npeople = 'ou=p'\nroles = {}\n"


def read(tmp_path, text="", environment=None):
    path = tmp_path / "qagate.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment or {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # a fault of a whole table: its other keys may be secrets
        (f"[[destinations]]\nname = 'P'\nkind = 'stow'\ntoken = '{SECRET}'", "also needs url"),
        (f"{STOW}token = '{SECRET}'\n{STOW}", "must differ, got P.1 twice"),
        (f"destinations = {{P = {{token = '{SECRET}'}}}}", "got a table"),
        (
            f"{LDAP.replace('ldaps', 'ldap')}start_tls = false\nbind_password = '{SECRET}'",
            "must not cross the network in the clear",
        ),
        # a fault of the secret itself
        (f"[alerts]\nurls = 'slack://{SECRET}'", "alerts.urls"),
        (f"[alerts]\nurls = [['slack://{SECRET}']]", "alerts.urls.0"),
        (f"[storage]\ndatabase_url = 'mysql://q:{SECRET}@db/q'", "must look like sqlite"),
        (f"[storage]\ndatabase_url = 'postgresql://q:a@{SECRET}@db/q'", "written as %40"),
        (f"[storage]\ndatabase_url = 'postgresql://q:{SECRET}@db:port/q'", "HOST:PORT"),
    ],
)
def test_a_fault_is_said_without_the_secrets_beside_it(tmp_path, text, says):
    with pytest.raises(SettingsError, match=re.escape(says)) as caught:
        read(tmp_path, text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("ldap://localhost", True),
        ("ldap://127.0.0.1:389", True),
        ("ldap://[::1]", True),
        ("ldap://localhost.hospital.example", False),
        ("ldap://127.0.0.1.example", False),
    ],
)
def test_passwords_cross_no_network_in_the_clear(tmp_path, url, taken):
    text = LDAP.replace("ldaps://l", url) + "start_tls = false"
    if taken:
        assert not read(tmp_path, text).people.ldap.start_tls
    else:
        with pytest.raises(SettingsError, match="must not cross"):
            read(tmp_path, text)


def test_text_that_should_be_a_table_may_hold_a_secret(tmp_path):
    with pytest.raises(SettingsError, match=r"destinations: .* got a single value$"):
        read(tmp_path, environment={"QAGATE__DESTINATIONS": f"[{{name = 'P', token = '{SECRET}'"})


@pytest.mark.parametrize("password", ["1234567890", "1e5", "true", "0x10", "2026-01-01", "1_0"])
def test_a_secret_that_looks_like_a_number_is_text(tmp_path, password):
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    settings = read(tmp_path, LDAP, {"QAGATE__PEOPLE__LDAP__BIND_PASSWORD_FILE": str(file)})
    assert settings.people.ldap.bind_password.get_secret_value() == password
    assert read(tmp_path, environment={"QAGATE__NODE__AE_TITLE": password}).node.ae_title == password


def test_numbers_switches_and_lists_of_the_environment_are_what_they_were(tmp_path):
    environment = {
        "QAGATE__NODE__PORT": "104",
        "QAGATE__NODE__ACCEPT_UNKNOWN_PEERS": "true",
        "QAGATE__COMPLETION__QUIET_SECONDS": "2.5",
        "QAGATE__NODE__PEERS": '[{ae_title = "CT1"}]',
        "QAGATE__WEB__PUBLIC_URL": '"https://q"',
        "QAGATE__NODE__TLS__CERTIFICATE_FILE": "c.pem",
        "QAGATE__NODE__TLS__KEY_FILE": "k.pem",
        "QAGATE__NODE__TLS__MINIMUM_VERSION": "1.3",
    }
    settings = read(tmp_path, environment=environment)
    assert (settings.node.port, settings.node.accept_unknown_peers, settings.completion.quiet_seconds) == (
        104,
        True,
        2.5,
    )
    assert settings.node.peers[0].ae_title == "CT1"
    assert settings.web.public_url == "https://q"
    assert settings.node.tls.minimum_version == "1.3"


def test_the_token_of_a_destination_comes_from_a_file_as_its_setting_says(tmp_path):
    file = tmp_path / "token"
    file.write_text(SECRET)
    settings = read(tmp_path, STOW, {"QAGATE__DESTINATIONS__P_1__TOKEN_FILE": str(file)})
    assert settings.destinations[0].token == SECRET
    with pytest.raises(SettingsError, match=r"no entry of this name \(known: P\.1\)"):
        read(tmp_path, STOW, {"QAGATE__DESTINATIONS__PACS__TOKEN": SECRET})
    with pytest.raises(SettingsError, match="destinations is a list"):
        read(tmp_path, STOW, {"QAGATE__DESTINATIONS__TOKEN": SECRET})


def test_a_file_that_an_editor_of_windows_wrote_is_read(tmp_path):
    file = tmp_path / "title"
    file.write_text("CT\n", encoding="utf-8-sig")
    assert (
        read(tmp_path, "\ufeff[node]\nport = 104\n", {"QAGATE__NODE__AE_TITLE_FILE": str(file)}).node.ae_title == "CT"
    )
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="it is not UTF-8"):
        read(tmp_path, environment={"QAGATE__NODE__AE_TITLE_FILE": str(file)})


def test_every_relative_file_of_authorities_is_found_beside_the_settings(tmp_path):
    settings = read(tmp_path, LDAP + "ca_file = 'ca.pem'\n[audit]\ntls = {ca_file = 'ca.pem'}")
    assert settings.people.ldap.ca_file == settings.audit.tls.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("key", "longest"),
    [
        ("storage.keep_days", {"days": 365_000}),
        ("storage.keep_events_days", {"days": 365_000}),
        ("alerts.standstill_minutes", {"minutes": 525_600_000}),
        ("holding.rejected_keep_days", {"days": 365_000}),
        ("holding.commitment_patience_hours", {"hours": 8_760_000}),
        ("people.session_hours", {"hours": 8_760_000}),
        ("people.session_idle_minutes", {"minutes": 525_600_000}),
        ("review.undo_minutes", {"minutes": 525_600_000}),
        ("completion.quiet_seconds", {"seconds": 31_536_000}),
        ("audit.timeout_seconds", {"seconds": 86_400}),
    ],
)
def test_a_time_beyond_the_calendar_is_refused_and_not_found_out_by_the_sweep(tmp_path, key, longest):
    section, name = key.split(".")
    (number,) = longest.values()
    for value in ("inf", "nan", number + 1):
        with pytest.raises(SettingsError, match=key):
            read(tmp_path, f"[{section}]\n{name} = {value}")
    assert getattr(getattr(read(tmp_path, f"[{section}]\n{name} = {number}"), section), name) == number
    assert datetime.now(UTC) - timedelta(**longest)


def test_sites_write_99999_for_ever(tmp_path):
    assert read(tmp_path, "[storage]\nkeep_days = 99999").storage.keep_days == 99_999


@pytest.mark.parametrize("key", ["quiet_from", "quiet_until"])
def test_half_a_quiet_time_keeps_no_alert_back_and_stops_no_node(tmp_path, key):
    """A node that does not start after a slip about messages refuses images."""
    settings = read(tmp_path, f"[alerts]\n{key} = '22:00'")
    assert not is_quiet(datetime(2026, 1, 1, 23), settings.alerts.quiet_from, settings.alerts.quiet_until)
    (item,) = _alerts(settings)
    assert (item.state, "belong together" in item.detail) == ("warning", True)


def test_a_variable_that_could_mean_two_entries_is_refused(tmp_path):
    """The token of one went to the other."""
    text = STOW.replace("P.1", "PACS-1") + STOW.replace("P.1", "PACS_1")
    assert len(read(tmp_path, text).destinations) == 2  # nobody is confused who sets nothing from the environment
    with pytest.raises(SettingsError, match="got PACS-1 and PACS_1"):
        read(tmp_path, text, {"QAGATE__DESTINATIONS__PACS_1__TOKEN": SECRET})


def test_files_of_tls_lie_beside_the_settings(tmp_path):
    text = "[[node.peers]]\nae_title = 'CT'\nport = 104\ntls = {ca_file = 'ca.pem'}"
    assert read(tmp_path, text).node.peers[0].tls.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:////var/lib/qagate/q.db",
        "postgresql+psycopg://qagate:a long %40secret/?#@database/qagate",
        "postgresql://qagate@[::1]:5432/q?sslmode=require",
        "postgresql+psycopg:///qagate?host=/run/postgresql",
        "postgresql+psycopg://qagate@server:secret@server.database.example/qagate",
    ],
)
def test_addresses_of_databases_are_taken(tmp_path, url):
    assert read(tmp_path, f"[storage]\ndatabase_url = '{url}'").storage.database_url == url


def test_settings_as_json_hold_no_secret():
    settings = Settings.model_validate(
        {
            "destinations": [{"name": "P", "kind": "stow", "url": f"https://q:{SECRET}@p/dicom-web"}],
            "alerts": {"urls": [f"mailto://q:{SECRET}@mail", f"slack://{SECRET}"]},
        }
    )
    shown = settings.model_dump(mode="json")
    assert SECRET not in str(shown)
    assert shown["alerts"]["urls"] == ["mailto:(left out)", "slack:(left out)"]
    assert shown["destinations"][0]["url"] == "https://p/dicom-web"
    assert SECRET in settings.alerts.urls[1]  # only there
    assert SECRET not in settings.destinations[0].address + name_of(settings.destinations[0])
    assert SECRET not in _for_the_pacs_team(settings)


@pytest.mark.parametrize(
    "url",
    [f"postgresql://q:{SECRET}@db/q", f"postgresql://q@db/q?sslmode=require&password={SECRET}&sslpassword={SECRET}"],
)
def test_the_address_of_a_database_is_said_without_its_password(url):
    assert SECRET not in shown(url)
    assert "@db/q" in shown(url)


def test_every_example_of_the_template_is_valid_when_the_signs_before_it_are_taken_away():
    examples = re.findall(r"(?m)^# \[.+\]\n(?:# .+\n)+", settings_template())
    assert len(examples) == len(TABLES) + len(OPTIONAL)
    for example in examples:
        Settings.model_validate(tomllib.loads(example.replace("# ", "")))
