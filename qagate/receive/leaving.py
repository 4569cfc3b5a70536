"""Leaving: how an object leaves the spool, and why none is lost that comes again at that moment."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from qagate.receive.spooled import EPOCH

ASIDE_SUFFIX = ".aside"


_ASIDE_SECONDS = 60.0
"""After this long whoever set a file aside has died: it is looked at within a moment."""


def remove(path: Path, *, newer_than: datetime) -> bool:
    """Remove an object from the spool, unless it came (again) after a time; False when it stays.

    It may come again at this very moment, and must then not be answered with Success and be gone: its file is set aside
    first, under a name that no writer looks for, and only then looked at. `adopt_folder` puts it back if we die then.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}{ASIDE_SUFFIX}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True
    stays = EPOCH + timedelta(microseconds=aside.stat().st_mtime_ns // 1000) > newer_than
    if stays:
        with contextlib.suppress(FileExistsError):  # written anew meanwhile
            os.link(aside, path)
    aside.unlink()
    return not stays


def put_back(aside: Path) -> bool:
    """Give a file its name back that was set aside by somebody who died before looking at it; whether that was so."""
    try:
        if aside.stat().st_ctime > time.time() - _ASIDE_SECONDS:  # of the change of its name
            return False
        with contextlib.suppress(FileExistsError):  # it came again since
            os.link(aside, aside.with_name(aside.stem.rpartition(".")[0].removeprefix(".")))
        aside.unlink()
    except FileNotFoundError:
        return False
    return True


def came_after(path: Path, time: datetime) -> bool:
    """Whether an object of the spool came, or came again, after a time; False when it is not there."""
    try:
        return EPOCH + timedelta(microseconds=path.stat().st_mtime_ns // 1000) > time
    except FileNotFoundError:
        return False
