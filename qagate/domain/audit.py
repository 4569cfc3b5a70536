"""Acts: what the audit trail says that somebody did. Others may write words of their own, in the same form."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """What people and programs do besides deciding about series."""

    SERIES_VIEWED = "series_viewed"
    VOLUME_FETCHED = "volume_fetched"
    LIST_EXPORTED = "list_exported"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGIN_THROTTLED = "login_throttled"
    LOGGED_OUT = "logged_out"
    LOGGED_OUT_EVERYWHERE = "logged_out_everywhere"
    REFUSED = "refused"  # somebody known asked for what their role does not grant
    TOKEN_REFUSED = "token_refused"
    PERSON_ADDED = "person_added"
    PERSON_INVITED = "person_invited"
    PERSON_DISABLED = "person_disabled"
    PERSON_ENABLED = "person_enabled"
    ROLE_CHANGED = "role_changed"
    PASSWORD_CHANGED = "password_changed"
    TOKEN_ADDED = "token_added"
    TOKEN_REVOKED = "token_revoked"
    AUDIT_READ = "audit_read"
