"""What a bench of recommenders compares: classics, models that read texts, and our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pydantic import JsonValue

from plmrec.errors import ParamsError
from plmrec.params import Params, Range, Tries
from plmrec.recommenders.blend import Part
from plmrec.stages.recipe import Recipe

Family: TypeAlias = Literal["classic", "language model", "release", "ablation"]
Depth: TypeAlias = Literal["none", "texts", "parts"]

RELEASE: Final = "release"
WITHOUT_TEXTS: Final = "without vectors"
ONLY_TEXTS: Final = "only texts"

_NEED_VECTORS: Final = {"interest_profile", "mean_history", "text_tower"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A backend to compare.

    Attributes:
        name: As people call it.
        family: What kind of model it is.
        part: The backend, and the options its literature gives it.
        space: What a search may try of the others.
    """

    name: str
    family: Family
    part: Part
    space: Mapping[str, Tries] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The release's recommender with some of its parts.

    Attributes:
        name: Such as ``without vectors``.
        parts: The parts that are left, with their options.
        with_texts: Whether the texts' vectors are there to be read.
    """

    name: str
    parts: Mapping[str, Part]
    with_texts: bool = True


def _part(backend: str, **options: JsonValue) -> Part:
    return Part(backend=backend, options=options)


_PLAIN_EASE: Final[dict[str, JsonValue]] = {"decay_items": None}
_DECAY: Final = {"decay_items": Range(low=1, high=30, log=True)}
_RIDGE: Final = {"l2": Range(low=10, high=5000, log=True)}

# Classics do not weigh by recency: their papers do not.
_CLASSICS: Final[dict[str, tuple[Part, dict[str, Tries]]]] = {
    "popularity": (_part("popularity"), {}),
    "recent_popularity": (
        _part("recent_popularity"),
        {"half_life_days": Range(low=1, high=180, log=True)},
    ),
    "item_knn": (
        _part("item_knn", decay_items=None),
        {
            "shrinkage": Range(low=1, high=500, log=True),
            "n_neighbours": Range(low=10, high=500, log=True, int=True),
        },
    ),
    "ease": (_part("ease", decay_items=None), {**_RIDGE}),
    "als": (
        _part("als", decay_items=None),
        {
            "factors": (16, 32, 64, 128),
            "alpha": Range(low=0.5, high=40, log=True),
            "l2": Range(low=0.1, high=100, log=True),
        },
    ),
    "bpr": (
        _part("bpr", decay_items=None),
        {
            "factors": (32, 64, 128),
            "l2": Range(low=0.003, high=0.3, log=True),
            "learning_rate": Range(low=0.01, high=0.2, log=True),
        },
    ),
    "sasrec_id": (_part("sasrec", items="id"), {}),
}
_LANGUAGE_MODELS: Final[dict[str, tuple[Part, dict[str, Tries]]]] = {
    "content": (_part("content"), {"n_neighbours": (30, 100, 300), **_DECAY}),
    "mean_history": (_part("mean_history"), {**_DECAY}),
    "interest_profile": (_part("interest_profile"), {**_DECAY}),
    "text_tower": (_part("text_tower"), {}),
    "sasrec_text": (_part("sasrec", items="text"), {}),
    "sasrec_fused": (_part("sasrec", items="fused"), {}),
    "ease_text": (
        _part("ease_text", decay_items=None),
        {**_RIDGE, "text_weight": Range(low=1, high=300, log=True)},
    ),
    "carried": (
        Part(backend="carried", options={"backend": "ease", "options": _PLAIN_EASE}),
        {"share": (0.25, 0.5, 1.0)},
    ),
    "ranker": (_part("ranker"), {}),
}


def contenders() -> dict[str, Contender]:
    """All backends to compare, by name, in the order of a report."""
    families: dict[Family, dict[str, tuple[Part, dict[str, Tries]]]] = {
        "classic": _CLASSICS,
        "language model": _LANGUAGE_MODELS,
    }
    return {
        name: Contender(name=name, family=family, part=part, space=space)
        for family, members in families.items()
        for name, (part, space) in members.items()
    }


def choose_names(names: Sequence[str]) -> list[str]:
    """The names asked for in the order of a report; all of them when none is.

    Raises:
        ParamsError: A name is not known.
    """
    known = [*contenders(), RELEASE]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ParamsError(f"bench: expected models among {known}, got {unknown}")
    return [name for name in known if not names or name in names]


def variants(recipe: Recipe, depth: Depth) -> list[Variant]:
    """The ablations of a release.

    Without the language model's vectors, parts that say nothing then are left out, and the others
    have titles and labels alone. With only texts, what compares texts stays. Then each part is left
    out in turn.

    Args:
        recipe: Of the release, with its tuned parts.
        depth: ``none``: no ablation; ``texts``: the first two; ``parts``: all.
    """
    parts = {name: Part.model_validate(part) for name, part in recipe["options"]["parts"].items()}
    if depth == "none" or len(parts) < 2:
        return []
    found = [
        Variant(
            name=WITHOUT_TEXTS,
            parts={name: part for name, part in parts.items() if not needs_texts(part)},
            with_texts=False,
        ),
        Variant(
            name=ONLY_TEXTS,
            parts={
                name: part
                for name, part in parts.items()
                if needs_texts(part) or part.backend == "content"
            },
        ),
    ]
    if depth == "parts":
        found += [
            Variant(
                name=f"without {left_out}",
                parts={name: part for name, part in parts.items() if name != left_out},
            )
            for left_out in parts
        ]
    return [variant for variant in found if variant.parts]


def variant_params(variant: Variant, recipe: Recipe, params: Params) -> Params:
    """Parameters of a training that only fits and weighs the variant's parts again.

    Every part was tuned by itself, so its options stay what they are without the others.
    """
    options: dict[str, Any] = {**recipe["options"], "weights": {}}
    parts = {name: part.model_dump(mode="json") for name, part in variant.parts.items()}
    training = params.training.model_copy(
        update={"options": {**options, "parts": parts}, "space": {}, "starts": {}}
    )
    return params.model_copy(update={"training": training})


def needs_texts(part: Part) -> bool:
    """Whether a part says nothing without vectors; others may say more with them."""
    by_text = part.backend == "sasrec" and part.options.get("items") == "text"
    return by_text or part.backend in _NEED_VECTORS
