from __future__ import annotations

import socket

import pytest

from qagate.settings import Settings
from qagate.web.room import Receiver
from tests.unit.web.conftest import make_site
from tests.web.seeds import Seed


def test_last_series_as_shape_word_and_reason(site):
    page = site.page("/room/CT2/now")
    assert 'data-state="unscored"' in page  # the topogram came last
    assert "No score" in page
    assert "This is a localizer" in page
    assert "…4711" in page
    assert "ACC0004711" not in page
    assert "US" not in page  # what is not for us is not shown


@pytest.mark.parametrize(
    ("minutes", "state"),
    [(1, "review"), (29, "review"), (31, "old")],  # grey after 30 minutes
)
def test_old_verdicts_are_grey(tmp_path, minutes, state):
    for site in make_site(tmp_path, Seed("one", "review", 40.0, minutes=minutes)):
        assert f'data-state="{state}"' in site.page("/room/CT2/now")


def test_strip_holds_the_five_before(tmp_path):
    for site in make_site(tmp_path, *(Seed(f"n{i}", description=f"number {i}", minutes=i + 1) for i in range(8))):
        page = site.page("/room/CT2/now")
        assert "number 0" in page.split('class="strip"')[0]
        assert [f"number {i}" in page.split('class="strip"')[1] for i in range(8)] == [False, *[True] * 5, False, False]


def test_scanner_by_its_ae_title_and_unknown_ones(site):
    assert "Arriving" in site.page("/room/CT1/now")
    assert "No series yet" in site.page("/room/nobody/now")


def test_receiver_down(tmp_path):
    for site in make_site(tmp_path, Seed("one")):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        site.client.app.state.receiver = Receiver("127.0.0.1", port)
        page = site.page("/room/CT2/now")
        assert 'data-state="silent"' in page
        assert "Not receiving" in page


@pytest.mark.parametrize(
    ("tree", "address"),
    [
        ({}, ("127.0.0.1", 11112)),
        ({"node": {"host": "10.0.0.7", "port": 104}}, ("10.0.0.7", 104)),
        ({"web": {"receiver": "node1:11112"}}, ("node1", 11112)),
        ({"web": {"receiver": "[::1]:104"}}, ("::1", 104)),
    ],
)
def test_which_receiver_is_watched(tree, address):
    assert Receiver.of(Settings.model_validate(tree))._address == address
