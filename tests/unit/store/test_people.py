"""People, logins, invitations, tokens, the throttle: by the store's own functions."""

from __future__ import annotations

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person, Role
from qagate.errors import PeopleError, PersonMissing, StoreError
from qagate.store import audit, credentials, invitations, logins, people, throttle, tokens
from qagate.store.database import Database
from qagate.store.logins import Lasting
from qagate.store.tables import LoginRow, TryRow
from tests.peers import postgres

T0 = datetime(2026, 11, 22, 9, tzinfo=UTC)
LASTING = Lasting(idle=timedelta(minutes=30), whole=timedelta(hours=8))


@pytest.fixture
def session(database):
    """A session in one transaction, with one admin and one viewer."""
    with database.begin() as session:
        people.add(session, "ada", Role.ADMIN, by="console", at=T0, password_hash="kept")
        people.add(session, "bob", Role.VIEWER, by="console", at=T0, password_hash="kept")
        yield session


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("Ada", "ada"), (" ada.l@site.org ", "ada.l@site.org"), ("a" * 43, "a" * 43)],
)
def test_names_are_kept_in_one_form(typed, kept):
    assert people.cleaned(typed) == kept


@pytest.mark.parametrize("typed", ["", "a b", "a/b", "a\nb", "a\x00", "-a", "a" * 44, "anonymous", "Console", "<b>"])
def test_what_is_no_name(typed):
    with pytest.raises(PeopleError, match="got "):
        people.cleaned(typed)


def test_a_person_and_a_token_fit_every_column_for_names(session):
    row = people.add(session, "p" * 43, Role.VIEWER, by="console", at=T0)
    secret = tokens.add(session, row, "t" * 20, [Permission.READ], by="console", at=T0, lasts=None)
    found = tokens.person_of(session, secret, at=T0)
    assert found is not None
    assert len(found[0].name) == 64  # 43 + 1 + 20


def test_which_directory_vouches_for_somebody(session):
    """People of an LDAP directory were listed as if OpenID Connect had vouched for them."""
    both = (("ldap:4711", "lea"), ("248289761001", "olga"))
    found = [people.vouched(session, subject, name, Role.VIEWER, at=T0) for subject, name in both]
    assert [row.source for row in found] == ["ldap", "oidc"]


def test_two_of_one_name_and_nobody(session):
    with pytest.raises(PeopleError, match="already"):
        people.add(session, "ADA", Role.VIEWER, by="console", at=T0)
    with pytest.raises(PersonMissing, match="got 'eve'"):
        people.get(session, "eve")


def test_somebody_can_always_administer(session):
    ada = people.get(session, "ada")
    for change in (people.disable, lambda *a, **k: people.set_role(*a[:2], Role.VIEWER, **k)):
        with pytest.raises(PeopleError, match="another admin first"):
            change(session, ada, by="ada", at=T0)
    people.set_role(session, people.get(session, "bob"), Role.ADMIN, by="ada", at=T0)
    people.disable(session, ada, by="bob", at=T0)
    assert people.has_admin(session)


def login(session, name: str, at: datetime = T0) -> str:
    return logins.open_login(session, people.get(session, name), lasting=LASTING, at=at, how="test")


@pytest.mark.parametrize(
    ("minutes_after_last_click", "minutes_after_login", "there"),
    [(29, 29, True), (30, 30, False), (1, 479, True), (1, 480, False)],  # idle 30 min; 8 h = 480 min in any case
)
def test_a_login_ends(session, minutes_after_last_click, minutes_after_login, there):
    secret = login(session, "bob")
    at = T0 + timedelta(minutes=minutes_after_login)
    logins.touch(session, credentials.digest(secret), at=at - timedelta(minutes=minutes_after_last_click))
    assert (logins.person_of(session, secret, lasting=LASTING, at=at) is not None) == there


def test_each_login_has_a_secret_of_its_own_which_the_database_does_not_hold(session):
    first, second = login(session, "bob"), login(session, "bob")
    assert first != second
    held = [row.digest for row in session.query(LoginRow)]
    assert first not in held
    assert credentials.digest(first) in held
    logins.close(session, credentials.digest(first), who="bob", at=T0)
    assert logins.person_of(session, first, lasting=LASTING, at=T0) is None
    assert logins.person_of(session, second, lasting=LASTING, at=T0) is not None


@pytest.mark.parametrize(
    "ends",
    [
        lambda s, bob: people.disable(s, bob, by="ada", at=T0),
        lambda s, bob: people.set_password(s, bob, "other", by="ada", at=T0),
        lambda s, bob: logins.close_all(s, bob, by="bob", at=T0),
    ],
)
def test_what_ends_all_logins_of_a_person_and_of_nobody_else(session, ends):
    bobs, adas = login(session, "bob"), login(session, "ada")
    ends(session, people.get(session, "bob"))
    assert logins.person_of(session, bobs, lasting=LASTING, at=T0) is None
    assert logins.person_of(session, adas, lasting=LASTING, at=T0) is not None


def test_an_invitation_works_once_for_a_day_and_only_the_newest(session):
    bob = people.get(session, "bob")
    old = invitations.invite(session, bob, by="ada", at=T0)
    secret = invitations.invite(session, bob, by="ada", at=T0)
    assert invitations.look(session, old, at=T0) is None
    assert invitations.look(session, secret, at=T0 + timedelta(hours=24)) is None
    assert invitations.look(session, secret, at=T0) == invitations.Invited("bob")
    assert invitations.accept(session, secret, "", "new", at=T0).password_hash == "new"
    with pytest.raises(PeopleError, match="was used"):
        invitations.accept(session, secret, "", "newer", at=T0)


def test_the_first_admin_comes_in_by_a_token_and_only_the_first(database):
    with database.begin() as session:
        secret = invitations.invite(session, None, by="console", at=T0)
        assert invitations.accept(session, secret, "Eve", "kept", at=T0).role == "admin"
        with pytest.raises(PeopleError):
            invitations.accept(session, secret, "mallory", "kept", at=T0)
        late = invitations.invite(session, None, by="console", at=T0)
        with pytest.raises(PeopleError, match="an admin already"):
            invitations.accept(session, late, "mallory", "kept", at=T0)


def test_who_comes_in_no_more_is_not_invited(session):
    bob = people.get(session, "bob")
    people.disable(session, bob, by="ada", at=T0)
    with pytest.raises(PeopleError, match="enable them first"):
        invitations.invite(session, bob, by="ada", at=T0)


def test_a_token_may_what_both_its_scopes_and_the_role_grant(session):
    scopes = [Permission.READ, Permission.ADMINISTER]
    secret = tokens.add(session, people.get(session, "bob"), "lab", scopes, by="ada", at=T0, lasts=timedelta(days=1))
    found = tokens.person_of(session, secret, at=T0)
    assert found is not None
    assert found[0] == Person("bob/lab", Role.VIEWER, frozenset(scopes))
    assert [permission for permission in Permission if found[0].may(permission)] == [Permission.READ]
    assert tokens.person_of(session, secret, at=T0 + timedelta(days=1)) is None
    assert tokens.person_of(session, secret + "x", at=T0) is None


@pytest.mark.parametrize("ends", ["revoke", "disable"])
def test_a_token_ends(session, ends):
    bob = people.get(session, "bob")
    secret = tokens.add(session, bob, "lab", [Permission.READ], by="ada", at=T0, lasts=None)
    if ends == "revoke":
        tokens.revoke(session, tokens.get(session, 1), by="ada", at=T0)
    else:
        people.disable(session, bob, by="ada", at=T0)
    assert tokens.person_of(session, secret, at=T0) is None


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (99, 60)],  # 2 ** (failures - 5), 60 at most
)
def test_waits_double(failures, seconds):
    assert throttle.wait_seconds(failures, throttle.NAME) == seconds


def test_the_throttle_counts_before_it_is_known_whether_a_try_was_right(session):
    for _ in range(5):
        assert throttle.attempt(session, "bob", "10.0.0.7", at=T0) == 0
    assert throttle.attempt(session, "bob", "10.0.0.8", at=T0) == 1  # another address does not help
    assert throttle.attempt(session, "ada", "10.0.0.7", at=T0) == 0  # another name does: 50 are free for an address
    assert throttle.attempt(session, "bob", "10.0.0.7", at=T0 + timedelta(seconds=1)) == 0
    throttle.succeeded(session, "bob", "10.0.0.7")
    assert throttle.attempt(session, "bob", "10.0.0.7", at=T0 + timedelta(seconds=1)) == 0


@pytest.fixture(scope="module")
def server():
    """A database in which two can write at the same time."""
    if not postgres.available():
        pytest.skip("there is no PostgreSQL here")
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        yield database
        database.close()


def together(database, *works):
    """Let each work begin its transaction before any goes on; return what they return or raise."""
    begun = threading.Barrier(len(works))

    def run(work):
        try:
            with database.begin() as session:
                session.execute(text("SELECT 1"))
                begun.wait(10)
                return work(session)
        except (PeopleError, StoreError) as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


@pytest.mark.peers
def test_two_first_tries_from_one_address_at_once(server):
    """One of them was told that the database cannot be reached."""
    tries = [partial(throttle.attempt, name=name, address="10.0.0.7", at=T0) for name in ("ada", "bob")]
    assert together(server, *tries) == [0.0, 0.0]
    with server.begin() as session:
        assert throttle.attempt(session, "carl", "10.0.0.7", at=T0) == 0.0
        assert session.get_one(TryRow, "address:10.0.0.7").failures == 3


@pytest.mark.peers
def test_two_admins_cannot_take_the_others_role_at_once(server):
    with server.begin() as session:
        for name in ("ada", "bob"):
            people.add(session, name, Role.ADMIN, by="console", at=T0)

    def demote(name, session):
        people.set_role(session, people.get(session, name), Role.VIEWER, by="another", at=T0)

    said = together(server, partial(demote, "ada"), partial(demote, "bob"))
    assert sorted(type(one).__name__ for one in said) == ["NoneType", "PeopleError"]
    with server.read() as session:
        assert people.has_admin(session)


def test_failures_are_forgotten_after_an_hour(session):
    for _ in range(5):
        throttle.attempt(session, "bob", "10.0.0.7", at=T0)
    assert throttle.attempt(session, "bob", "10.0.0.7", at=T0 + timedelta(minutes=61)) == 0


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
def test_the_audit_trail_is_only_added_to(database, statement):
    with database.begin() as session:
        audit.record(session, "ada", Act.LOGGED_IN, "", "", T0)
    with pytest.raises(StoreError, match="only added to"), database.begin() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert audit.count(session, audit.Search(who="ada")) == 1


def test_the_audit_trail_is_searched_by_person_act_series_and_time(session):
    audit.record(session, "bob", Act.SERIES_VIEWED, "1.2.3", "", T0 + timedelta(hours=1), address="10.0.0.7")
    for search, number in (
        (audit.Search(), 3),  # two people were added
        (audit.Search(who="bob"), 1),
        (audit.Search(what="person_added"), 2),
        (audit.Search(series_instance_uid="1.2.3"), 1),
        (audit.Search(since=T0 + timedelta(hours=1)), 1),
        (audit.Search(until=T0 + timedelta(hours=1)), 2),
    ):
        assert audit.count(session, search) == len(audit.listing(session, search)) == number
    assert [row.who for row in audit.listing(session, audit.Search(), limit=1)] == ["bob"]
    newest = audit.listing(session, audit.Search(), limit=1)[0]
    assert len(audit.listing(session, audit.Search(), before=newest.id)) == 2


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaa", "ada-lovelace-1815"])
def test_bad_passwords(password):
    with pytest.raises(PeopleError) as caught:
        credentials.hash_password(password, name="ada-lovelace-1815", least=12)
    assert password not in str(caught.value)


def test_passwords_match_in_whatever_form_they_were_typed():
    kept = credentials.hash_password("Åse går en tur", name="ase", least=12)
    assert kept.startswith("$argon2id$")
    assert credentials.matches(unicodedata.normalize("NFD", "Åse går en tur"), kept)  # as another keyboard sends it
    assert not credentials.matches("Ase gar en tur", kept)
    assert not credentials.matches("anything", None)
    assert not credentials.matches("x" * 100_000, kept)
    assert not credentials.matches("anything", "no hash at all")
