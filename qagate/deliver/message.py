"""Messages to people, by whatever way apprise knows. The only file that knows apprise."""

from __future__ import annotations

from collections.abc import Sequence

from qagate.errors import DeliveryError, SettingsError


def send(urls: Sequence[str], title: str, words: str) -> None:
    """Send to all. Raises SettingsError for an address that apprise does not know, DeliveryError when one failed."""
    try:
        import apprise  # takes its time, and most nodes send nothing
    except ImportError:
        raise SettingsError("alerts.urls needs apprise: pip install 'qagate[alerts]'; got no such package") from None

    way = apprise.Apprise()
    for number, url in enumerate(urls, start=1):
        if not way.add(url):
            scheme = url.partition(":")[0]  # the rest may hold a secret
            raise SettingsError(f"alerts.urls: entry {number} is no address that apprise knows, got {scheme}:...")
    if not way.notify(title=title, body=words):
        raise DeliveryError("an alert was not taken by every address of alerts.urls; it is tried again")
