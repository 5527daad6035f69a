"""The vocabulary as types: what one item, segment, passage, candidate or report is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType, TypeAlias

import numpy as np
import numpy.typing as npt

from plmrec.errors import DataContractError

ItemId = NewType("ItemId", str)
UserId = NewType("UserId", str)
FloatMatrix: TypeAlias = npt.NDArray[np.float32]


class Kind(StrEnum):
    """What an item is."""

    VIDEO = "video"
    AUDIO = "audio"
    AD = "ad"
    PRODUCT = "product"


class Event(StrEnum):
    """What a user did with an item."""

    IMPRESSION = "impression"
    VIEW = "view"
    LIKE = "like"
    DISLIKE = "dislike"
    COMMENT = "comment"
    SHARE = "share"
    RATING = "rating"
    CLICK = "click"
    PURCHASE = "purchase"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A span of speech.

    Attributes:
        start_s: Start in the media, seconds, >= 0.
        end_s: End in the media, seconds, >= start_s.
        text: What was said.
        confidence: In [0, 1]; 1.0 for subtitles, which a person wrote.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk of a document that fits the encoder.

    Attributes:
        text: The words.
        start_s: Where it starts in the media, seconds; None when it was not spoken.
        end_s: Where it ends, seconds; None when it was not spoken.
        confidence: Of its segments, weighted by their length, in [0, 1]; None when it was not
            spoken.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an item was recommended, in a form one can check.

    Attributes:
        kind: ``tags`` (shared interest tags, genres or creators), ``neighbours`` (liked items it
            goes with), ``passage`` (words that match what the user likes) or ``popular``.
        text: One sentence in the user's terms.
        item_ids: The user's own items behind it; empty for ``popular``.
        start_s: For a spoken passage, where it starts, seconds.
        end_s: For a spoken passage, where it ends, seconds.
        tags: For ``tags``, their names, strongest first; the item and those of ``item_ids`` have
            all of them.
    """

    kind: str
    text: str
    item_ids: tuple[str, ...] = ()
    start_s: float | None = None
    end_s: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One item for one user.

    Attributes:
        rank: 1 is best.
        score: Comparable within one user's list only.
        source: The part of the recommender that brought it up, such as ``ease``: of those that
            look at what the user liked, the one that added most; ``recent_popularity`` for a
            user who liked nothing yet.
        release: Version of the release that answered.
    """

    user_id: str
    rank: int
    item_id: str
    title: str
    score: float
    source: str
    release: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What a stage did; small enough for XCom, flat enough for a table.

    Attributes:
        stage: Name of the stage.
        n_in: Rows the stage was given.
        n_out: Rows it passed on.
        n_quarantined: Rows it refused, all of them in the quarantine.
        computed: Units computed in this run.
        reused: Units found finished from an earlier run.
        seconds: Wall time.
        digest: Identity of the stage's whole output.
        details: More numbers and short strings, JSON values only.

    Raises:
        DataContractError: Rows in are not rows out plus rows quarantined.
    """

    stage: str
    n_in: int
    n_out: int
    n_quarantined: int = 0
    computed: int = 0
    reused: int = 0
    seconds: float = 0.0
    digest: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_in != self.n_out + self.n_quarantined:
            raise DataContractError(
                f"{self.stage}: expected in = out + quarantined, got {self.n_in} != "
                f"{self.n_out} + {self.n_quarantined}",
                hint="Rows were lost without a reason; this is a defect of the stage",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the names that screens, XComs and JSON use."""
        return {
            "stage": self.stage,
            "in": self.n_in,
            "out": self.n_out,
            "quarantined": self.n_quarantined,
            "computed": self.computed,
            "reused": self.reused,
            "seconds": round(self.seconds, 2),
            "digest": self.digest,
            **self.details,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StageReport:
        """Rebuild a report from ``as_dict``."""
        known = {"stage", "in", "out", "quarantined", "computed", "reused", "seconds", "digest"}
        return cls(
            stage=values["stage"],
            n_in=values["in"],
            n_out=values["out"],
            n_quarantined=values["quarantined"],
            computed=values["computed"],
            reused=values["reused"],
            seconds=values["seconds"],
            digest=values["digest"],
            details={key: value for key, value in values.items() if key not in known},
        )
