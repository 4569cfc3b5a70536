from __future__ import annotations

import socket

import pytest

from qagate.errors import SettingsError
from qagate.observe.syslog import Syslog
from qagate.settings import Audit


def test_a_file_that_cannot_be_used_is_named_by_its_own_key_before_anybody_is_connected_to(tmp_path):
    """It was said of a destination that does not exist, and each try left a connection to the server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        settings = Audit.model_validate(
            {
                "syslog": "tls",
                "host": "127.0.0.1",
                "port": server.getsockname()[1],
                "tls": {"ca_file": tmp_path / "none.pem"},
            }
        )
        with pytest.raises(SettingsError, match=r"^audit\.tls\.ca_file must be a file"), Syslog(settings):
            pass
        with pytest.raises(TimeoutError):
            server.accept()
