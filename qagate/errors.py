"""Every error qagate raises on purpose.

QagateError
├── SettingsError            the settings file or environment is wrong
├── InputError               a file or folder that was handed to us cannot be used
│   ├── NotDicom
│   ├── UnreadablePixels
│   └── TooLarge             beyond the limits in settings
├── GeometryError            the slices do not make a volume
├── ModelError               the model folder cannot be used
│   ├── ModelMissing
│   └── ModelCorrupt
├── ScoringError             the network could not be run on this volume
├── SpoolError               (retryable) the spool cannot take bytes now
│   └── SpoolFull
├── StoreError               (retryable) the database cannot be used now
│   └── StoreRefused         the database will never take this value
├── PeopleError             what was asked about people or tokens cannot be done
│   └── PersonMissing       there is no such person or token
├── DirectoryError          the directory that vouches for people did not
├── ReportError              a DICOM document could not be built
│   └── OutboxError          (retryable) the outbox cannot take a document now
├── DecisionError            a person's decision cannot be taken
│   ├── DecisionRefused      it makes no sense for this series, or is not theirs to take
│   │   └── NothingWaits     the images of this series do not wait for a release
│   └── DecisionStale        the series changed since the person looked
└── DeliveryError            (retryable) a destination did not take a document now
    ├── Unreachable          (retryable)
    ├── AssociationRejected  (retryable)
    └── DeliveryRefused      the destination refused this document for good
        └── Unsendable       its file here does not hold what was to be sent

`retryable` says whether doing the same again later can help. A message says what, where and what to do, and ends
with what was got.
"""

from __future__ import annotations

from typing import Any, ClassVar


class QagateError(Exception):
    """Root of the tree: anything qagate raises on purpose."""

    retryable: ClassVar[bool] = False


class SettingsError(QagateError):
    """The settings file or an environment variable is wrong."""


class InputError(QagateError):
    """A file or folder that was handed to us cannot be used."""


class NotDicom(InputError):
    """The bytes are not a DICOM object."""


class UnreadablePixels(InputError):
    """The pixel data of an object cannot be decoded."""


class TooLarge(InputError):
    """The object is beyond the limits in the settings."""


class GeometryError(QagateError):
    """The slices do not make a volume."""


class ModelError(QagateError):
    """The model folder cannot be used."""


class ModelMissing(ModelError):
    """There is no model at the configured place."""


class ModelCorrupt(ModelError):
    """The model folder contradicts itself: digest, vocabulary or shapes."""


class ScoringError(QagateError):
    """The network could not be run on this volume."""


class SpoolError(QagateError):
    """The spool cannot take bytes now."""

    retryable = True


class SpoolFull(SpoolError):
    """The disk under the spool is below its reserve."""


class StoreError(QagateError):
    """The database cannot be used now."""

    retryable = True


class StoreRefused(StoreError):
    """The database will never take this value, however often it is tried."""

    retryable = False


class PeopleError(QagateError):
    """What was asked about people, invitations or tokens cannot be done."""


class PersonMissing(PeopleError):
    """There is no such person or token."""


class DirectoryError(QagateError):
    """The directory that vouches for people could not be asked, or vouched for nobody."""


class ReportError(QagateError):
    """A DICOM document could not be built."""


class OutboxError(ReportError):
    """The outbox cannot take a document now."""

    retryable = True


class DecisionError(QagateError):
    """A person's decision cannot be taken."""


class DecisionRefused(DecisionError):
    """It makes no sense for this series, or is not theirs to take."""


class NothingWaits(DecisionRefused):
    """The images of this series are neither held nor rejected: there is nothing to release."""


class DecisionStale(DecisionError):
    """The series changed since the person looked; the message says what changed."""


class DeliveryError(QagateError):
    """A destination did not take a document now.

    `receipts` are those (qagate.deliver.receipt.Receipt) of the documents of the same delivery that it did take.
    `broke_off` says that there was an association, and that it ended in the middle of an object.
    """

    retryable = True
    receipts: tuple[Any, ...] = ()
    broke_off = False


class Unreachable(DeliveryError):
    """Nobody answered at the destination's address."""


class AssociationRejected(DeliveryError):
    """The destination rejected or aborted the association."""


class DeliveryRefused(DeliveryError):
    """The destination refused this document for good: sending it again cannot help."""

    retryable = False


class Unsendable(DeliveryRefused):
    """The file here does not hold what was to be sent; the destination was not asked."""
