"""Credentials: passwords are kept as argon2id hashes, random secrets as SHA-256; neither can be read back."""

from __future__ import annotations

import hashlib
import secrets
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from qagate.errors import PeopleError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""19 MiB, two passes, one lane: the least that OWASP's cheat sheet on password storage takes for argon2id."""

AT_ONCE = threading.BoundedSemaphore(2)
"""Each takes the memory above and a core: many logins at one time wait for one another."""

LONGEST = 256
"""Characters of a password; more only keeps the processor busy."""

NOBODY = HASHER.hash(secrets.token_urlsafe(32))
"""Compared against when there is no such person, so that the answer takes as long."""


def new_secret() -> str:
    """Return 32 random bytes as text: not to be guessed, so a fast hash is enough to keep it."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is kept of a random secret: SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hash_password(password: str, *, name: str, least: int) -> str:
    """Return what is kept of a password. Raises PeopleError when it is no good; the password itself is never told."""
    password = _one_form(password)
    if not least <= len(password) <= LONGEST:
        raise PeopleError(f"a password has {least} to {LONGEST} characters, got {len(password)}")
    if len(set(password)) < 5 or password.casefold() in (name, name * 2, "qagate" * 2):
        raise PeopleError("this password would be guessed at once, got a repetition or a name")
    return HASHER.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Say whether this is the password; takes as long when there is none (and is False then)."""
    if len(password) > LONGEST:
        return False
    try:
        with AT_ONCE:
            return HASHER.verify(kept or NOBODY, _one_form(password)) and kept is not None
    except (Argon2Error, InvalidHashError):
        return False


def _one_form(password: str) -> str:
    # the same letters typed on another keyboard may come as other code points
    return unicodedata.normalize("NFKC", password.encode("utf-8", "replace").decode("utf-8"))
