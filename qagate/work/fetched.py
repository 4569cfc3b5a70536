"""What an archive hands over when it is asked, put into the spool as if it had been sent."""

from __future__ import annotations

import io

from qagate.clock import Clock
from qagate.domain.series import StoredInstance
from qagate.errors import InputError, TooLarge
from qagate.receive import part10
from qagate.receive.header import read_header
from qagate.receive.spool import Spool
from qagate.settings import Settings

IMAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
)
"""CT, Enhanced CT, MR and Enhanced MR Image Storage: what may be missing of a series that we judge."""


def keep(part: bytes, settings: Settings, clock: Clock, *, source: str, series: str = "") -> StoredInstance:
    """Put a Part 10 object into the spool; it is durable when this returns, and the database does not know it yet.

    source: the AE title as whose it counts. series: the one it must belong to; "" = any. Raises TooLarge, NotDicom,
    InputError for another series than the wanted one, SpoolFull, SpoolError.
    """
    most = settings.storage.max_object_mb << 20
    if len(part) > most:
        raise TooLarge(f"an object must stay under {most} bytes (storage.max_object_mb), got {len(part)}")
    meta, offset = part10.decode(io.BytesIO(part))
    data_set = memoryview(part)[offset:]
    if series:
        its = read_header(data_set, meta.transfer_syntax_uid).series_instance_uid
        if its != series:
            raise InputError(f"the archive was asked for an image of series {series}, got one of {its}")
    return Spool(settings.spool_dir, settings.storage.reserve_mb << 20).store(
        data_set,
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        calling_ae_title=source,
        called_ae_title="",
        received_at=clock.now(),
    )
