"""Obstacles: why something is not at its destination, in words that programs tell apart."""

from __future__ import annotations

from enum import StrEnum

from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, SettingsError, Unreachable, Unsendable


class Obstacle(StrEnum):
    """What came of the last try. For people there is a detail beside it."""

    NONE = ""  # it was not tried, or the destination took it
    UNREACHABLE = "unreachable"  # there was no association
    NOT_NOW = "not_now"  # the destination answered that it could not take it now, or broke off at it
    NOT_KEPT = "not_kept"  # it took it, and said that it does not promise to keep it
    REFUSED = "refused"  # it will never take it, and has not got it
    NO_DESTINATION = "no_destination"  # the settings do not name the destination any more
    UNSENDABLE = "unsendable"  # what was to be sent cannot be read here

    @property
    def lasts(self) -> bool:
        """Whether trying again cannot help until somebody has changed something."""
        return self in (Obstacle.REFUSED, Obstacle.NO_DESTINATION, Obstacle.UNSENDABLE)

    @classmethod
    def of(cls, error: Exception) -> Obstacle:
        """Return what an error says of the way to a destination."""
        if isinstance(error, Unreachable | AssociationRejected | SettingsError):
            return cls.NOT_NOW if getattr(error, "broke_off", False) else cls.UNREACHABLE
        if isinstance(error, Unsendable):
            return cls.UNSENDABLE
        if isinstance(error, DeliveryRefused):
            return cls.REFUSED
        return cls.NOT_NOW if isinstance(error, DeliveryError) else cls.UNSENDABLE
