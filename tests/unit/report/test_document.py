from __future__ import annotations

from io import BytesIO

import pydicom

from qagate.report.build import build
from qagate.report.document import encoded

from .making import assessment, request, verdict


def test_the_bytes_of_every_variant_are_those_that_pydicom_writes_alone() -> None:
    for document in build(request()):
        for variant, data in zip(document.variants, encoded(document.variants), strict=True):
            buffer = BytesIO()
            variant.save_as(buffer, enforce_file_format=True)
            assert data == buffer.getvalue()


def test_variants_that_share_nothing_are_encoded_each_for_itself() -> None:
    first, other = (build(request((assessment(score=score), verdict())))[0].variants[0] for score in (80.0, 20.0))
    one, two = encoded([first, other])
    assert pydicom.dcmread(BytesIO(one)) == first
    assert pydicom.dcmread(BytesIO(two)) == other
