"""What training and evaluation read: identified without reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from plmrec.app.context import Context
from plmrec.app.embed import CURRENT
from plmrec.app.training_data import load_tags
from plmrec.digests import digest_json
from plmrec.tags import Taxonomy

_VERSION: Final = 3  # raise it when the same inputs give another recommender


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Identity of everything training reads.

    Attributes:
        dataset_digest: DVC digest of the accepted dataset.
        source: Folder the dataset was read from; for people.
        n_interactions: Accepted interactions.
        encoder: Contents of ``embeddings/current.json``.
        digest: Of all that can change the recommender.
        taxonomy: By which the items have tags; None when they have none.
    """

    dataset_digest: str
    source: str
    n_interactions: int
    encoder: dict[str, Any]
    digest: str
    taxonomy: Taxonomy | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder."""
        return str(self.encoder["fingerprint"])


def read_inputs(context: Context) -> Inputs:
    """Read the identity of everything training reads, without reading it.

    Raises:
        MissingStageError: The dataset or its vectors are not there.
    """
    manifest = context.workspace.read_json("dataset", "manifest.json")
    encoder = context.workspace.read_json(*CURRENT)
    used = context.params.model_dump(
        mode="json", include={"seed", "feedback", "training", "evaluation"}
    )
    used["sentiment"] = context.params.understanding.sentiment.model_dump(mode="json")
    used["training"].pop("min_interval_days")  # it decides when, not what
    parts = [_VERSION, manifest["digest"], encoder["digest"], encoder["fingerprint"], used]
    tags = load_tags(context, str(encoder["fingerprint"]))
    taxonomy = None if tags is None else tags[0]
    parts += [] if taxonomy is None else [taxonomy.digest]
    return Inputs(
        dataset_digest=str(manifest["digest"]),
        source=str(manifest["source"]),
        n_interactions=int(manifest["counts"].get("interactions", 0)),
        encoder=dict(encoder),
        digest=digest_json(parts),
        taxonomy=taxonomy,
    )
