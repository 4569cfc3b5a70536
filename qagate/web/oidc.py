"""Logging in by a directory that vouches for people: OpenID Connect, authorization code with PKCE.

Source: OpenID Connect Core 1.0 sections 3.1 and 3.1.3.7; RFC 7636 (PKCE); RFC 9700 (security best practice).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from qagate.errors import DirectoryError
from qagate.settings import Oidc
from qagate.store import credentials
from qagate.web.vouching import Vouched, highest

ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512"]
"""Signatures with a public key only: none of those that a client secret could make."""

PATIENCE_SECONDS = 10
KEPT = timedelta(minutes=10)
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Journey:
    """What a browser keeps while it is at the directory, so that only it can come back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Journey:
        """Return one that nobody can guess."""
        return cls(credentials.new_secret(), credentials.new_secret(), credentials.new_secret())

    @classmethod
    def from_cookie(cls, text: str) -> Journey:
        """Read it back. Raises DirectoryError when it is none."""
        parts = text.split(".")
        if len(parts) != 3 or not all(parts):
            raise DirectoryError("the way to the directory began in another browser or too long ago; log in again")
        return cls(*parts)

    def cookie(self) -> str:
        """Return it as text."""
        return f"{self.state}.{self.nonce}.{self.verifier}"

    @property
    def challenge(self) -> str:
        """The verifier's S256 challenge. Source: RFC 7636 section 4.2."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Directory:
    """The provider that the settings name. Its description and keys are asked for every ten minutes."""

    def __init__(self, settings: Oidc, redirect_uri: str) -> None:
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._about: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._until: datetime | None = None

    def address(self, journey: Journey, *, at: datetime) -> str:
        """Return where to send the browser. Raises DirectoryError when the directory cannot be asked."""
        self._learn(at)
        words = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": journey.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._about['authorization_endpoint']}?{urlencode(words)}"

    def vouch(self, journey: Journey, *, state: str, code: str, at: datetime) -> Vouched:
        """Return who came back. Raises DirectoryError when nobody is vouched for."""
        if not hmac.compare_digest(state.encode(), journey.state.encode()):
            raise DirectoryError("the answer of the directory belongs to another login; log in again")
        self._learn(at)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": journey.verifier,
        }
        if self.settings.client_secret is not None:
            form["client_secret"] = self.settings.client_secret.get_secret_value()
        token = self._asked("POST", str(self._about["token_endpoint"]), form).get("id_token")
        if not isinstance(token, str):
            raise DirectoryError("the directory gave no ID token, got an answer without id_token")
        return self._read(self._claims(token, journey.nonce, at))

    def _claims(self, token: str, nonce: str, at: datetime) -> Mapping[str, Any]:
        assert self._keys is not None
        client = self.settings.client_id
        wanted = jwt.JWTClaimsRegistry(
            now=int(at.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise DirectoryError(f"the directory's ID token does not hold: {type(error).__name__}") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client:
            raise DirectoryError("the directory's ID token is for another program, got another azp")
        return claims

    def _read(self, claims: Mapping[str, Any]) -> Vouched:
        said = claims.get(self.settings.role_claim, [])
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        role = highest(groups, self.settings.roles, where=self.settings.role_claim)
        name = claims.get(self.settings.name_claim)
        if not isinstance(name, str) or not name:
            raise DirectoryError(f"the directory does not say your name, got no {self.settings.name_claim}")
        return Vouched(str(claims["sub"])[:255], name, role)

    def _learn(self, at: datetime) -> None:
        with self._lock:
            if self._until is not None and at < self._until:
                return
            about = self._asked("GET", f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self.settings.issuer:
                raise DirectoryError(
                    f"the directory calls itself otherwise than people.oidc.issuer, got {about.get('issuer')}"
                )
            try:
                self._keys = KeySet.import_key_set(self._asked("GET", str(about["jwks_uri"])))  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise DirectoryError("the directory's keys cannot be read") from error
            self._about, self._until = about, at + KEPT

    def _asked(self, method: str, address: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = requests.request(
                method, address, data=form, timeout=PATIENCE_SECONDS, allow_redirects=False,
                headers={"Accept": "application/json"},
            )  # fmt: skip
            found = answer.json() if answer.status_code == 200 else None
        except (requests.RequestException, ValueError) as error:
            raise DirectoryError(f"the directory cannot be asked now: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise DirectoryError(f"the directory refused or answered something else, got HTTP {answer.status_code}")
        return found
