"""Mean history: items whose text lies in the direction of what the user liked on average."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, TrainingData
from plmrec.params import Fraction, Section
from plmrec.recommenders._centred_texts import CentredTexts, unit_rows
from plmrec.recommenders._item_to_item import strongest
from plmrec.recommenders._weights import recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State
from plmrec.types import FloatMatrix


class Options(Section):
    """Options of this backend."""

    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="items after which an older one weighs 1/e when scoring; null: all alike",
    )
    dislike_share: Fraction = Field(
        default=0.1, description="share of the mean disliked vector that is taken off the liked one"
    )


def shares_of_history(histories: Histories, options: Options) -> Floats:
    """What each entry's vector counts in its user's vector.

    A liked entry weighs its recency times its weight, over the sum of these of the user's liked
    entries; a disliked one the same among the disliked, times ``-dislike_share``; entries neither
    liked nor disliked 0.

    Returns:
        float64 (n,).
    """
    shares = np.zeros(len(histories.items))
    for mask, factor in (
        (histories.is_positive, 1.0),
        (histories.weights < 0, -options.dislike_share),
    ):
        read = histories.keep(mask)
        weights = recency_weights(read, options.decay_items) * np.minimum(np.abs(read.weights), 1.0)
        total = np.bincount(read.users, weights, histories.n_users)
        shares[mask] = factor * weights / np.maximum(total[read.users], 1e-12)
    return shares


@dataclass(slots=True, kw_only=True, eq=False)
class MeanHistory:
    """Cosine of an item's centred vector with the mean of the history's.

    Attributes:
        options: See Options.
        texts: The catalogue's centred vectors; None before ``fit``.
    """

    options: Options
    texts: CentredTexts | None = None

    def fit(self, data: TrainingData) -> None:
        """Centre the texts; nothing is learnt from histories. See Recommender.fit."""
        self.texts = CentredTexts.of(data.catalogue)

    def score(self, histories: Histories) -> FloatMatrix:
        """Cosines in [-1, 1]; 0 for items without text and users without history."""
        rows = self._rows(histories)
        users = unit_rows(self._spread(histories) @ rows)
        return np.asarray(users @ rows.T, dtype=np.float32)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Split the cosine over the user's items; see Recommender.explain."""
        rows = self._rows(history)
        value = float(self.score(history)[0, item])
        length = float(np.linalg.norm(self._spread(history) @ rows))
        added = shares_of_history(history, self.options) * (rows[history.items] @ rows[item])
        items = strongest(history.items, added / max(length, 1e-6), history)
        return (Contribution(part="mean_history", value=value, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are read like all others."""
        return replace(self, texts=self._fitted().over(old, new))

    def state(self) -> State:
        """See Recommender.state."""
        texts = self._fitted()
        return {"mean": texts.mean, "rows": texts.rows}, {}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.texts = CentredTexts(mean=arrays["mean"], rows=arrays["rows"])

    def _fitted(self) -> CentredTexts:
        """The texts.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.texts is None:
            raise PermanentError("mean_history: expected a fitted recommender", hint="Call fit")
        return self.texts

    def _rows(self, histories: Histories) -> FloatMatrix:
        """The items' vectors, after a look at whether the histories are over them."""
        rows = self._fitted().rows
        if histories.n_items != len(rows):
            raise ShapeError(
                f"mean_history: expected histories over {len(rows)} items, got {histories.n_items}"
            )
        return rows

    def _spread(self, histories: Histories) -> sp.csr_matrix:
        """Each entry's share of its user's vector, float32 CSR (n_users, n_items)."""
        return histories.matrix(shares_of_history(histories, self.options))


def build(options: Options) -> MeanHistory:
    """Build the recommender; called by plmrec.backends."""
    return MeanHistory(options=options)
