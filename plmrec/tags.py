"""Interest tags: what a taxonomy is, whoever made it and whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from plmrec.errors import ShapeError
from plmrec.types import FloatMatrix

Origin: TypeAlias = Literal["curated", "genre", "creator", "mined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One interest.

    Attributes:
        tag_id: Stable between versions of a taxonomy, such as ``genre:horror``.
        name: For people, such as ``Horror``.
        origin: A list that a person keeps, the items' own labels, or the corpus.
        words: What the encoder reads for it: its name, and words that say what it means.
    """

    tag_id: str
    name: str
    origin: Origin
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taxonomy:
    """One version of the interest tags, with the vectors of one encoder; never changed.

    Attributes:
        version: 1, 2, 3 and so on within a workspace.
        digest: Identity of everything below.
        fingerprint: Of the encoder of the vectors.
        tags: n_tags tags, each id once.
        vectors: float32 (n_tags, d), unit rows, of the centred space.
        mean: float32 (d,), taken off a vector, before it is scaled to length 1, to compare it
            with the tags.
        offsets: float32 (n_tags,), cosine at which an item carries the tag with strength 1/2.
        scales: float32 (n_tags,), > 0; strength is ``1 / (1 + exp(-(cosine - offset) / scale))``.

    Raises:
        ShapeError: A column does not have one row per tag.
    """

    version: int
    digest: str
    fingerprint: str
    tags: tuple[Tag, ...]
    vectors: FloatMatrix
    mean: FloatMatrix
    offsets: FloatMatrix
    scales: FloatMatrix

    def __post_init__(self) -> None:
        for column in (self.vectors, self.offsets, self.scales):
            if len(column) != len(self.tags):
                raise ShapeError(f"taxonomy: expected {len(self.tags)} rows, got {len(column)}")

    @property
    def n_tags(self) -> int:
        """Number of tags."""
        return len(self.tags)

    def positions(self) -> dict[str, int]:
        """Place of each tag id."""
        return {tag.tag_id: place for place, tag in enumerate(self.tags)}
