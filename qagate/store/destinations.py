"""Where images ever were to go. Whoever looks for images in some state names these: their index begins with it."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qagate.store.tables import ForwardRow


def of_images(session: Session) -> list[str]:
    """Return the name of each, by one look into the index for each."""
    found: list[str] = []
    following = select(func.min(ForwardRow.destination))
    name = session.scalar(following)
    while name is not None:
        found.append(name)
        name = session.scalar(following.where(ForwardRow.destination > name))
    return found
