"""Where interest tags come from: a list that a person keeps, labels of items, the corpus."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, TypeAdapter, ValidationError

from plmrec.digests import digest_json
from plmrec.errors import ParamsError
from plmrec.params import Section
from plmrec.tags import Origin, Tag
from plmrec.types import FloatMatrix
from plmrec.understanding.words import phrases, plain

_NOT_SLUG: Final = re.compile(r"[\W_]+")
_MOST_COMMON: Final = 0.2  # share of the corpus above which words tell nothing apart
_FEWEST: Final = 5  # documents that a mined tag needs
_LIKE: Final = 0.75  # cosine of their carriers from which two mined tags are one


class _Curated(Section):
    id: str = Field(min_length=1, pattern=r"^[\w-]+$")
    name: str = Field(min_length=1)
    words: tuple[str, ...] = ()


def slug(name: str) -> str:
    """Name as part of a tag's id.

    Example:
        >>> slug("Sci-Fi & Fantasy")
        'sci-fi-fantasy'
    """
    return _NOT_SLUG.sub("-", name.casefold()).strip("-")


def label_id(origin: Origin, name: str) -> str:
    """Id of the tag of a genre or creator."""
    return f"{origin}:{slug(name)}"


def curated_tags(file: str | None) -> tuple[list[Tag], str]:
    """Read a list of tags that a person keeps; that of plmrec by default.

    Returns:
        The tags, and the digest of the list.

    Raises:
        ParamsError: The file is not there, or is no such list.
    """
    try:
        if file is None:
            text = files("plmrec.understanding").joinpath("curated_tags.yaml").read_text("utf-8")
        else:
            text = Path(file).read_text(encoding="utf-8")
        values: Any = yaml.safe_load(text) or []
        entries = TypeAdapter(list[_Curated]).validate_python(values)
    except OSError as err:
        raise ParamsError(
            f"taxonomy: cannot read {file}", hint="Correct understanding.taxonomy.curated"
        ) from err
    except yaml.YAMLError as err:
        raise ParamsError(f"taxonomy: {file} is not YAML: {err}") from err
    except ValidationError as err:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors()[:5]]
        raise ParamsError(
            f"taxonomy: {file} is no list of {{id, name, words}}: {'; '.join(lines)}"
        ) from err
    twice = [name for name, count in Counter(entry.id for entry in entries).items() if count > 1]
    if twice:
        raise ParamsError(f"taxonomy: expected each id once in {file}, got twice {twice[:5]}")
    tags = [
        Tag(tag_id=f"curated:{each.id}", name=each.name, origin="curated", words=each.words)
        for each in entries
    ]
    return tags, digest_json([each.model_dump() for each in entries])


def label_tags(
    labels: Sequence[Sequence[str]], origin: Origin, *, min_items: int, most: int | None = None
) -> tuple[list[Tag], dict[str, npt.NDArray[np.int64]]]:
    """Tags of the labels that enough items have.

    Args:
        labels: Of each item.
        origin: What the labels are.
        min_items: Items that a label needs.
        most: At most so many, those with most items.

    Returns:
        The tags by id, and the places of the items with each.
    """
    carriers: dict[str, list[int]] = defaultdict(list)
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for place, named in enumerate(labels):
        for name in named:
            tag_id = label_id(origin, name)
            if slug(name) and (not carriers[tag_id] or carriers[tag_id][-1] != place):
                carriers[tag_id].append(place)
            names[tag_id][" ".join(name.split())] += 1
    common = sorted(
        (tag_id for tag_id, places in carriers.items() if len(places) >= min_items),
        key=lambda tag_id: (-len(carriers[tag_id]), tag_id),
    )[:most]
    tags = [
        Tag(
            tag_id=tag_id,
            name=_usual(names[tag_id]),
            origin=origin,
        )
        for tag_id in sorted(common)
    ]
    return tags, {tag_id: np.array(carriers[tag_id], dtype=np.int64) for tag_id in sorted(common)}


def _usual(names: Counter[str]) -> str:
    """The most common of some spellings, the first by letters of several."""
    return min(names.items(), key=lambda pair: (-pair[1], pair[0]))[0]


def mined_tags(
    texts: Sequence[str], vectors: FloatMatrix, *, most: int, known: Sequence[str]
) -> tuple[list[Tag], dict[str, npt.NDArray[np.int64]]]:
    """Tags from the corpus: phrases whose documents are unusually like each other.

    A phrase is worth how far the mean of its documents' vectors is from 0, in units of what chance
    gives for so many documents; of phrases with much the same documents the best one stays.

    Args:
        texts: Of n items.
        vectors: float32 (n, d), centred unit rows.
        most: At most so many tags.
        known: Names that other tags have.

    Returns:
        As ``label_tags``.
    """
    carriers = _documents_with(texts)
    taken = {word for name in known for word in name.casefold().split()}
    means: dict[str, FloatMatrix] = {}
    worth: dict[str, float] = {}
    for phrase, places in carriers.items():
        if taken & set(phrase.split()):
            continue
        mean = vectors[places].mean(axis=0)
        length = float(np.linalg.norm(mean))
        means[phrase], worth[phrase] = mean / max(length, 1e-9), length * len(places) ** 0.5
    chosen: list[str] = []
    for phrase in sorted(worth, key=lambda phrase: (-worth[phrase], phrase)):
        if len(chosen) == most or worth[phrase] < 2.0:
            break
        parts = set(phrase.split())
        if all(means[phrase] @ means[other] < _LIKE for other in chosen) and not any(
            parts & set(other.split()) for other in chosen
        ):
            chosen.append(phrase)
    tags = [
        Tag(tag_id=f"mined:{slug(phrase)}", name=phrase.capitalize(), origin="mined")
        for phrase in sorted(chosen)
    ]
    return tags, {f"mined:{slug(phrase)}": carriers[phrase] for phrase in sorted(chosen)}


def _documents_with(texts: Sequence[str]) -> Mapping[str, npt.NDArray[np.int64]]:
    """Places of the documents with each phrase that is neither rare nor everywhere."""
    fewest = max(_FEWEST, round(len(texts) * 0.004))
    largest = max(len(texts) * _MOST_COMMON, fewest)
    found: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        for phrase in set(phrases(plain(text), 2)):
            if len(phrase) > 2:
                found[phrase].append(place)
    return {
        phrase: np.array(places, dtype=np.int64)
        for phrase, places in found.items()
        if fewest <= len(places) <= largest
    }
