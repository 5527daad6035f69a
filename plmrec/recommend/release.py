"""A release's recommender over a catalogue: packed into plain arrays and JSON, and unpacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from plmrec.backends import build_backend
from plmrec.errors import DataContractError
from plmrec.histories import Catalogue
from plmrec.recommend.reasons import PartKinds
from plmrec.recommenders.blend import Blend

BACKEND: Final = "blend"
_FORMAT: Final = 2
_PROFILE: Final = "interest_profile"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRelease:
    """What answers.

    Attributes:
        version: Of the release; empty before it is registered.
        blend: The fitted recommender.
        catalogue: The items it scores.
        now: End of the data it was fitted on, seconds since 1970.
        unit: What the usual sign of interest weighs in the histories it is asked with.
    """

    version: str
    blend: Blend
    catalogue: Catalogue
    now: float
    unit: float = 1.0

    @property
    def kinds(self) -> PartKinds:
        """Which of its parts compare what items say, which do not look at the user, and so on."""
        parts = self.blend.options.parts
        return PartKinds(
            reads_text=frozenset(n for n, part in parts.items() if part.backend == "content"),
            same_for_all=frozenset(n for n, part in parts.items() if not part.is_personal),
            profiles=frozenset(n for n, part in parts.items() if part.backend == _PROFILE),
        )

    def over(self, catalogue: Catalogue) -> LoadedRelease:
        """The same release over the items of today: new ones are read, lost ones are dropped."""
        if catalogue.item_ids == self.catalogue.item_ids:
            return replace(self, catalogue=catalogue)
        moved = cast("Blend", self.blend.with_catalogue(self.catalogue, catalogue))
        return replace(self, blend=moved, catalogue=catalogue)


def pack_release(release: LoadedRelease) -> tuple[Arrays, dict[str, Any]]:
    """Turn a release into arrays for safetensors and a JSON value; it holds no user ids."""
    arrays, values = release.blend.state()
    return arrays, {
        "format": _FORMAT,
        "recipe": {"backend": BACKEND, "options": release.blend.options.model_dump(mode="json")},
        "values": values,
        "item_ids": list(release.catalogue.item_ids),
        "now": release.now,
        "unit": release.unit,
    }


def unpack_release(
    arrays: Mapping[str, npt.NDArray[Any]], model: Mapping[str, Any], *, version: str
) -> LoadedRelease:
    """Rebuild a release from ``pack_release``; it gives identical scores.

    Raises:
        DataContractError: It was packed by another format of plmrec, or a part is missing.
        BackendUnavailableError: A backend it was made with is not installed.
    """
    if model.get("format") != _FORMAT:
        raise DataContractError(
            f"release {version}: expected format {_FORMAT}, got {model.get('format')}",
            hint="Train again with this version of plmrec",
        )
    try:
        recipe = model["recipe"]
        blend: Blend = build_backend("recommenders", recipe["backend"], recipe["options"])
        blend.load_state({name: np.asarray(a) for name, a in arrays.items()}, model["values"])
        catalogue = Catalogue(item_ids=tuple(model["item_ids"]))
        clock, unit = float(model["now"]), float(model["unit"])
        return LoadedRelease(
            version=version, blend=blend, catalogue=catalogue, now=clock, unit=unit
        )
    except KeyError as err:
        raise DataContractError(f"release {version}: expected {err} in its state") from err
