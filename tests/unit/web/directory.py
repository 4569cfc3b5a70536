"""A small directory that speaks OpenID Connect, for tests: it vouches for whomever `claims` names."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class FakeDirectory:
    """Use as a context manager. claims: laid over what an honest ID token holds; key, algorithm: what signs it."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.key = self.honest_key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.now = 0
        self.challenges: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> FakeDirectory:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def let_in(self, address: str) -> tuple[str, str]:
        """Do what the login page of the directory does: return state and code for the way back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = (asked["code_challenge"], asked["nonce"])
        return asked["state"], code

    def token(self, form: dict[str, str]) -> dict[str, str] | None:
        """Redeem a code, once, for whoever knows its verifier."""
        challenge, nonce = self.challenges.pop(form.get("code", ""), ("", ""))
        made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not challenge or made.rstrip(b"=").decode() != challenge or form.get("client_secret") != "s3cret":
            return None
        honest = {"iss": self.issuer, "aud": "qagate", "sub": "42", "iat": self.now, "exp": self.now + 300,
                  "nonce": nonce, "preferred_username": "Grace", "groups": ["staff", "readers"]}  # fmt: skip
        claims = {name: value for name, value in (honest | self.claims).items() if value is not None}
        return {"id_token": jwt.encode({"alg": self.algorithm, "kid": "k1"}, claims, self.key, [self.algorithm])}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        directory = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/jwks":
                    self._say({"keys": [directory.honest_key.as_dict(private=False)]})
                elif self.path == "/.well-known/openid-configuration":
                    issuer = directory.issuer
                    self._say({"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize",
                               "token_endpoint": f"{issuer}/token", "jwks_uri": f"{issuer}/jwks"})  # fmt: skip
                else:
                    self._say(None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._say(directory.token({name: values[0] for name, values in parse_qs(body).items()}))

            def _say(self, found: dict[str, Any] | None) -> None:
                self.send_response(200 if found is not None else 400)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler
