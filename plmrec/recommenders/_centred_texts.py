"""Texts of a catalogue, seen from their common middle, which stays where it was fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError
from plmrec.histories import Catalogue
from plmrec.recommenders.base import moved_places
from plmrec.types import FloatMatrix

_SMALL = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CentredTexts:
    """Centred unit vectors of a catalogue's items.

    The mean is that of the catalogue at the time of fitting, so that items keep their vectors when
    others come or go.

    Attributes:
        mean: float32 (d,), what all texts share.
        rows: float32 (n_items, d), unit rows; zeros for items without text.
    """

    mean: FloatMatrix
    rows: FloatMatrix

    @classmethod
    def of(cls, catalogue: Catalogue) -> CentredTexts:
        """Centre a catalogue's vectors; width 1 and zeros when there is no encoder."""
        vectors = catalogue.vectors
        if vectors is None:
            vectors = np.zeros((catalogue.n_items, 1), dtype=np.float32)
        there = np.any(vectors != 0, axis=1)
        total = vectors[there].sum(axis=0, dtype=np.float64)
        mean = (total / max(int(there.sum()), 1)).astype(np.float32)
        return cls(mean=mean, rows=_centred(vectors, mean))

    def over(self, old: Catalogue, new: Catalogue) -> CentredTexts:
        """The texts of another catalogue, seen from the same middle.

        Raises:
            ShapeError: The new vectors are of another width.
        """
        if new.vectors is not None and self.rows.any():
            if new.vectors.shape[1] != len(self.mean):
                raise ShapeError(
                    f"texts: expected vectors of width {len(self.mean)}, got {new.vectors.shape[1]}"
                )
            return replace(self, rows=_centred(new.vectors, self.mean))
        rows = np.zeros((new.n_items, self.rows.shape[1]), dtype=np.float32)
        places = moved_places(old, new)
        rows[places[places >= 0]] = self.rows[places >= 0]
        return replace(self, rows=rows)


def _centred(vectors: FloatMatrix, mean: FloatMatrix) -> FloatMatrix:
    """Unit rows of ``vectors - mean``; rows of zeros stay zero."""
    there = np.any(vectors != 0, axis=1)
    moved = np.where(there[:, None], vectors - mean, 0.0).astype(np.float32)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(norms, _SMALL), dtype=np.float32)


def unit_rows(rows: npt.NDArray[np.floating[Any]]) -> FloatMatrix:
    """Rows brought to length 1, float32; rows of (nearly) zeros become zeros."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.where(norms > _SMALL, rows / np.maximum(norms, _SMALL), 0.0)
    return np.asarray(units, dtype=np.float32)
