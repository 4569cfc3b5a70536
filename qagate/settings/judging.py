"""Settings of judging: which network scores a series, which limits decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from qagate.settings.base import Fraction, Percent, Tree


class Model(Tree):
    """The network."""

    folder: Path | None = Field(None, description="model folder; the shipped one when absent")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads for scoring; 0 = one for each core")
    rules_file: Path | None = Field(None, description="site rules merged over the shipped prompt rules")


class Match(Tree):
    """Which series a policy is for; an absent key matches all, a list matches any of its words.

    ae_title and protocol are matched with `*` and `?` as in file names, case ignored.
    """

    modality: tuple[str, ...] | None = None
    region: tuple[str, ...] | None = None
    organ: tuple[str, ...] | None = None
    sequence: tuple[str, ...] | None = None
    ae_title: tuple[str, ...] | None = None
    protocol: tuple[str, ...] | None = None


class Policy(Tree):
    """A site's thresholds and actions for a kind of series; the first policy that matches decides."""

    name: str = Field(description="name shown with every verdict")
    match: Match = Field(default_factory=Match, description="which series it is for")
    action: Literal["shadow", "advise", "hold"] = Field(
        "advise",
        description="shadow: only the database and the page know; advise: documents go to the destinations; "
        "hold: images also wait for the verdict before they go to destinations with originals = true (docs/inline.md)",
    )
    hold_seconds: Annotated[float, Field(ge=10, le=86400)] = Field(
        900, description="hold: seconds after its first image at which a series is forwarded in any case"
    )
    review_below: Percent = Field(50, description="score below which a person should look")
    reject_below: Percent = Field(0, description="score below which the verdict is reject; 0 = never")
    attributes: dict[str, Fraction] = Field(default_factory=dict, description="artefact severities above which to look")
    findings: tuple[str, ...] = Field(
        ("missing_slices", "unreadable_slice", "incomplete_series", "conflicting_copy"),
        description="findings for which a person should look, unless mild",
    )


DEFAULT_POLICIES = (Policy(name="default", attributes={"motion": 0.7, "metal": 0.9}),)
