"""A real server over a seeded database, and a real browser that may talk to nobody else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn

from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web.app import create_app
from tests.web.seeds import Seed, seed, settings_in


@dataclass
class Served:
    """A running server: where it is, and what it shows."""

    url: str
    database: Database
    settings: Settings

    def add(self, one: Seed) -> str:
        """Let a series come in."""
        return seed(self.database, self.settings, one)


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server with a few series; somebody listens where the receiver should be.

    Its parameter, when it has one, is the role of who has not logged in; else that is an admin.
    """
    anonymous_role = getattr(request, "param", "admin")
    with socket.create_server(("127.0.0.1", 0)) as receiver, socket.create_server(("127.0.0.1", 0)) as listener:
        settings = settings_in(
            tmp_path, anonymous_role=anonymous_role, receiver=f"127.0.0.1:{receiver.getsockname()[1]}"
        )
        database = Database.open(settings.database_url)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, database), log_config=None, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", database, settings)
        server.should_exit = True
        thread.join(10)
        database.close()


@dataclass
class Heard:
    """What a page asked for, and what went wrong on it."""

    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def is_fault(message) -> bool:
    """Whether a line of the console is a fault of the page; an answer like 404 is none."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@contextlib.contextmanager
def watched(chromium, url: str) -> Iterator:
    """Yield a page of 1280 x 800; at the end no request went elsewhere than to this server and no script failed."""
    heard = Heard()
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("request", lambda request: heard.urls.append(request.url))
    page.on("pageerror", lambda error: heard.errors.append(str(error)))
    page.on("console", lambda message: heard.errors.append(message.text) if is_fault(message) else None)
    yield page
    context.close()
    assert heard.urls
    assert [asked for asked in heard.urls if not asked.startswith((url, "data:", "blob:"))] == []
    assert heard.errors == []


@pytest.fixture
def page(chromium, served):
    """A page that is watched over the seeded server."""
    with watched(chromium, served.url) as page:
        yield page
