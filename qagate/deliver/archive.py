"""An archive that may be asked: what has it, and can we have what we lack? By DIMSE or DICOMweb, as it is set up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qagate.deliver import qido, query
from qagate.deliver.query import Keep, number
from qagate.settings import Destination

__all__ = ["Archive", "ArchivedSeries", "Keep"]


@dataclass(frozen=True, slots=True)
class ArchivedSeries:
    """One series that an archive has.

    series_description, study_date (YYYYMMDD) and study_time (HHMMSS) are as it answers, empty where it does not say;
    images: how many instances it has, None where it does not say.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    series_description: str = ""
    study_date: str = ""
    study_time: str = ""
    images: int | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """A destination as the keeper of images. Every question raises DeliveryError when it has no answer."""

    destination: Destination
    calling_ae_title: str

    def count(self, study: str, series: str) -> int:
        """Return how many instances it has of a series; 0 when it does not know the series."""
        if self.destination.kind == "stow":
            return qido.count(self.destination, study, series)
        return query.count(self.destination, self.calling_ae_title, study, series)

    def instances(self, study: str, series: str) -> frozenset[str]:
        """Return the SOP Instance UIDs that it has of a series."""
        if self.destination.kind == "stow":
            return qido.instances(self.destination, study, series)
        return query.instances(self.destination, self.calling_ae_title, study, series)

    def series_of(self, day: str, modalities: Sequence[str] = ()) -> tuple[ArchivedSeries, ...]:
        """Return the series of all studies of one day (YYYYMMDD, Study Date).

        modalities: studies that say to have none of these are not looked into; series of others come all the same.
        """
        wanted = frozenset(modalities)
        if self.destination.kind == "stow":
            found = qido.study_series(self.destination, day, wanted)
        else:
            found = query.study_series(self.destination, self.calling_ae_title, day, wanted)
        return tuple(
            ArchivedSeries(
                one["StudyInstanceUID"],
                one["SeriesInstanceUID"],
                one["Modality"],
                one["SeriesDescription"],
                one["StudyDate"],
                one["StudyTime"],
                number(one["NumberOfSeriesRelatedInstances"]),
            )
            for one in found
        )

    def retrieve(
        self, study: str, series: str, sop_instance_uids: Sequence[str], *, sop_class_uids: Sequence[str], keep: Keep
    ) -> int:
        """Fetch instances by the way that `retrieve` of the destination names; return how many come or came.

        What comes by C-MOVE comes through our own receiver; everything else is given to `keep`, as Part 10 files.
        """
        to, title = self.destination, self.calling_ae_title
        if to.retrieve == "wado-rs":
            return qido.retrieve(to, study, series, sop_instance_uids, keep=keep)
        if to.retrieve == "c-get":
            return query.get(to, title, study, series, sop_instance_uids, sop_class_uids=sop_class_uids, keep=keep)
        return query.move(to, title, study, series, sop_instance_uids)
