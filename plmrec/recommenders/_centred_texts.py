"""Texts of a catalogue, seen from their common middle, which stays where it was fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError
from plmrec.histories import Catalogue
from plmrec.recommenders._texts import mean_text, read_texts
from plmrec.recommenders.base import moved_places
from plmrec.types import FloatMatrix

_SMALL = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CentredTexts:
    """Centred unit vectors of a catalogue's items.

    Attributes:
        mean: float32 (d,), what all texts shared when they were fitted; d is 1 without texts.
        rows: float32 (n_items, d), unit rows; zeros for items without text.
    """

    mean: FloatMatrix
    rows: FloatMatrix

    @classmethod
    def of(cls, catalogue: Catalogue) -> CentredTexts:
        """Centre a catalogue's vectors."""
        mean = mean_text(catalogue)
        if not len(mean):
            nothing = np.zeros((catalogue.n_items, 1), dtype=np.float32)
            return cls(mean=np.zeros(1, dtype=np.float32), rows=nothing)
        return cls(mean=mean, rows=read_texts(catalogue, mean))

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
            return replace(self, rows=read_texts(new, self.mean))
        rows = np.zeros((new.n_items, self.rows.shape[1]), dtype=np.float32)
        places = moved_places(old, new)
        rows[places[places >= 0]] = self.rows[places >= 0]
        return replace(self, rows=rows)


def unit_rows(rows: npt.NDArray[np.floating[Any]]) -> FloatMatrix:
    """Rows brought to length 1, float32; rows of (nearly) zeros become zeros."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.where(norms > _SMALL, rows / np.maximum(norms, _SMALL), 0.0)
    return np.asarray(units, dtype=np.float32)
