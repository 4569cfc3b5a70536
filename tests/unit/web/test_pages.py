from __future__ import annotations

import re

import pytest

from qagate.web import pages
from tests.unit.web.conftest import HOSTILE, make_site, uid_of
from tests.web.seeds import Seed

PAGES = (
    "/",
    "/?verdict=review",
    "/rows",
    *(f"/series/{uid_of(name)}" for name in ("look", "none", "open", "excluded")),
    "/room/CT1",
    "/room/CT1/now",
    "/room/nobody",
)


def shown(page: str) -> list[str]:
    return re.findall(r'<tr data-uid="([^"]+)"', page)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["look", "bad", "open", "none", "good", "excluded"]),  # what waits for a person first
        ("order=latest", ["open", "none", "look", "good", "bad", "excluded"]),
        ("modality=CT", ["look", "bad", "open", "none"]),
        ("order=flagged", ["bad", "look", "open", "none", "good", "excluded"]),
        ("verdict=review", ["look"]),
        ("verdict=flagged", ["look", "bad"]),
        ("verdict=unscored", ["none"]),
        ("modality=MR", ["good"]),
        ("organ=knee", ["good"]),
        ("organ=chest", ["bad"]),
        ("organ=che", []),  # whole words only
        ("scanner=CT1", ["bad", "open"]),
        ("protocol=Knee", ["good"]),
        ("text=pd+fs", ["good"]),
        (f"text={uid_of('bad')}", ["bad"]),
        ("date=today&modality=MR&verdict=accept", ["good"]),
        ("date=1999-01-01", []),
        ("modality=MR&verdict=review", []),
    ],
)
def test_filters(site, query, names):
    if query.startswith("date=today"):
        pytest.skip("five minutes ago may be yesterday") if not shown(site.page("/?date=today&modality=MR")) else None
    assert shown(site.page(f"/?{query}")) == [uid_of(name) for name in names]


def test_counts_keep_the_other_filters_and_links_keep_all(site):
    page = site.page("/?scanner=CT1&verdict=reject")
    numbers = dict(re.findall(r'data-tab="(\w*)".*?<b>(\d+)</b>', page))
    assert numbers == {"todo": "1", "review": "0", "reject": "1", "unscored": "0", "accept": "0", "": "2"}
    assert 'href="/?verdict=review&amp;scanner=CT1"' in page
    assert 'href="/api/v1/series.csv?verdict=reject&amp;scanner=CT1"' in page


def test_scores_are_whole_and_verdicts_are_word_and_shape(site):
    page = site.page("/?verdict=review")
    assert "<b>41</b>" in page
    assert "41.4" not in re.sub(r"<svg.*?</svg>|<time.*?>", "", page, flags=re.S)
    assert "Look" in page
    assert "#mark-review" in page


def test_worst_slices_are_pictures_that_exist(site):
    addresses = re.findall(r'<img src="(/api/v1/thumbnails/[^"]+)"', site.page("/?verdict=review"))
    assert [a.rsplit("/", 1)[1] for a in addresses] == ["8", "7", "9"]  # quality is lowest at slice 8
    answer = site.client.get(addresses[0])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]


def test_yesterdays_line_and_empty_states(site, empty_site):
    assert "0 unaccounted" in site.page("/")
    assert "Nothing has arrived yet" in empty_site.page("/")
    assert "Nothing to look at" in site.page("/?verdict=review&modality=MR")
    assert "No series match" in site.page("/?text=zzz")
    assert "no such page" in site.page("/?page=99")


def test_paging(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PAGE_SIZE", 3)
    for site in make_site(tmp_path, *(Seed(f"n{i}", "", minutes=i) for i in range(5))):
        assert shown(site.page("/")) == [Seed(f"n{i}").uid for i in (0, 1, 2)]
        second = site.page("/?page=2")
        assert shown(second) == [Seed(f"n{i}").uid for i in (3, 4)]
        assert "4–5 of 5" in second
        assert 'rel="prev" href="/"' in second


def test_rows_alone_are_not_sent_again_until_something_happened(tmp_path):
    for site in make_site(tmp_path, Seed("one")):
        tag = site.client.get("/rows").headers["etag"]
        assert site.client.get("/rows", headers={"if-none-match": tag}).status_code == 304
        from tests.web.seeds import seed

        seed(site.database, site.settings, Seed("two", ""))
        assert site.client.get("/rows", headers={"if-none-match": tag}).status_code == 200


def test_one_series(site):
    page = site.page(f"/series/{uid_of('look')}")
    for part in ("Look", "Noise 24 HU; abdomen here is usually 12-18", "24.3 HU", "moderate", "BodyPartExamined",
                 "waiting", "PACS", "likely 32 to 49", "this site looks below 50", "Not for diagnosis",
                 f"/series/{uid_of('look')}"):  # fmt: skip
        assert part in page, part
    assert "accession …4711" in page
    assert "ACC0004711" not in page


def test_series_without_a_score_say_why(site):
    assert "This is a localizer" in site.page(f"/series/{uid_of('none')}")
    assert "still arriving" in site.page(f"/series/{uid_of('open')}")
    assert "neither CT nor MR" in site.page(f"/series/{uid_of('excluded')}")


def test_earlier_revisions_are_struck_through(tmp_path):
    from datetime import UTC, datetime

    from qagate.store import reception, revisions
    from tests.web.seeds import _instance, judge

    one = Seed("late", "accept", 61.0)
    for site in make_site(tmp_path, one):
        now = datetime.now(UTC)
        with site.database.begin() as session:
            reception.register(session, [_instance(one, tmp_path / "late.dcm", 99, now)])
            revision = revisions.close_series(session, one.uid, completed_by="quiet", at=now)
            assert revision is not None
            key, number = revision.id, revision.number
        judge(site.database, site.settings, Seed("late", "review", 58.0), key, number, now)
        page = site.page(f"/series/{one.uid}")
        assert "<s>revision 1</s>" in page
        assert "<s>Good 61</s>" in page
        assert "<b>revision 2</b>" in page


@pytest.mark.parametrize("address", PAGES)
def test_nothing_comes_from_elsewhere(site, address):
    page = site.page(address)
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page)
    assert "<script>" not in page  # no inline script: the policy forbids it
    assert not re.findall(r'\sstyle="|\son\w+="', page)


@pytest.mark.parametrize("address", [*PAGES, "/api/v1/series", "/healthz", "/static/qagate.css", "/nowhere"])
def test_every_answer_closes_the_page(site, address):
    headers = site.client.get(address).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_hostile_words_stay_words(site):
    for address in ("/", "/room/CT1", f"/series/{uid_of('bad')}"):
        page = site.page(address)
        assert HOSTILE not in page
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in site.page("/")


def test_static_files_exist_for_every_page(site):
    for address in PAGES:
        for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', site.page(address)):
            assert site.client.get(path).status_code == 200, path
