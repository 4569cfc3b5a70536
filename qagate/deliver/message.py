"""Messages to people, by whatever way apprise knows. The only file that knows apprise."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qagate.errors import DeliveryError, QagateError, SettingsError


def send(urls: Sequence[str], title: str, words: str, told: set[str] | None = None) -> None:
    """Send to all, but those in `told`, which have it already; who takes it now comes to them.

    No address keeps it from the others. Raises SettingsError for one that apprise does not know, and DeliveryError when
    one did not take it.
    """
    try:
        import apprise  # takes its time, and most nodes send nothing
    except ImportError:
        raise SettingsError("alerts.urls needs apprise: pip install 'qagate[alerts]'; got no such package") from None

    told = set() if told is None else told
    faults: list[QagateError] = []
    for number, url in enumerate(urls, start=1):
        if url in told:
            continue
        way = apprise.Apprise()
        with _unheard():
            known = way.add(url)
        if not known:
            scheme = url.partition(":")[0]  # the rest may hold a secret
            faults.append(SettingsError(f"alerts.urls: entry {number} must be known to apprise, got {scheme}:..."))
        elif not way.notify(title=title, body=words):
            faults.append(DeliveryError(f"entry {number} of alerts.urls did not take an alert; it is tried again"))
        else:
            told.add(url)
    if faults:
        raise faults[0]


@contextmanager
def _unheard() -> Iterator[None]:
    """Let apprise log nothing meanwhile: of an address with a slip it logs the whole, with the key in it."""
    log = logging.getLogger("apprise")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False
