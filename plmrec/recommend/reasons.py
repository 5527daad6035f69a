"""Why an item was recommended: said only where it is true, in words a viewer understands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from plmrec.recommenders.base import Contribution
from plmrec.text.cleaning import shorten
from plmrec.types import Passage, Reason

_MAX_NAMED: Final = 2  # own items named in one sentence
_WORTH_NAMING: Final = 0.5  # of the strongest one's share; a weaker item would mislead
_MAX_TITLE: Final = 60
_MAX_QUOTE: Final = 140
_MAX_TAGS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """What a reason may say of an item.

    Attributes:
        item_id: Its id.
        title: Its title.
        genres: As the dataset gives them.
        creators: Likewise.
        tags: Names of the taxonomy's tags that it carries with strength 1/2 or more, strongest
            first.
    """

    item_id: str
    title: str
    genres: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def has_tag(self, name: str) -> bool:
        """Whether a tag of the taxonomy, or a genre, is one of the item's."""
        return name in self.tags or name in self.genres


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKinds:
    """Which parts of the recommender rest on what.

    Attributes:
        reads_text: Names of those that compare what items say.
        same_for_all: Names of those that do not look at what the user liked.
        profiles: Names of those that weigh the user's interest in tags.
    """

    reads_text: frozenset[str]
    same_for_all: frozenset[str]
    profiles: frozenset[str] = frozenset()


def explain_item(
    item: ItemFacts,
    *,
    contributions: Sequence[Contribution],
    kinds: PartKinds,
    liked: Collection[int],
    facts: Sequence[ItemFacts],
    passage: Passage | None,
) -> Reason:
    """Give the reason of the strongest part that rests on something the user liked.

    Where there is none, a part that looks at all the user had to do with may still have raised the
    item, and else popularity.

    Args:
        item: The recommended item.
        contributions: What each part adds and because of which items, strongest first.
        kinds: Which parts rest on what.
        liked: Places of the items that the user liked.
        facts: Of every item of the catalogue, by place.
        passage: The item's passage nearest to what the user liked, if it has any.
    """
    for contribution, evidence in _personal(contributions, liked):
        own = [facts[place] for place in evidence]
        if contribution.part in kinds.profiles:
            matched = _matched_tags(item, own, contribution.tags)
            return matched or _from_text(item, own, passage)
        if contribution.part in kinds.reads_text:
            return _from_text(item, own, passage)
        return Reason(
            kind="neighbours",
            text=f"Because you liked {_names(own)}",
            item_ids=tuple(each.item_id for each in own),
        )
    raising = [each for each in contributions if each.value > 0]
    if raising and raising[0].part not in kinds.same_for_all:
        own = [facts[place] for place, share in raising[0].items if share > 0][:_MAX_NAMED]
        return Reason(
            kind="neighbours",
            text="Others with a history like yours chose it",
            item_ids=tuple(each.item_id for each in own),
        )
    return popular(is_liked=bool(raising))


def popular(*, is_liked: bool) -> Reason:
    """The reason of an item that nothing personal speaks for.

    Args:
        is_liked: Whether others liked it lately; if not, it is there because k were asked for.
    """
    text = "Popular with others lately" if is_liked else "It completes the list"
    return Reason(kind="popular", text=text)


def _personal(
    contributions: Sequence[Contribution], liked: Collection[int]
) -> Iterator[tuple[Contribution, list[int]]]:
    """Parts that speak for the item because of liked items, and those items, strongest first.

    Parts that raise the item above the others come first. A part may hold it below the average
    and yet be the only one to know of anything that the user liked and that speaks for it.
    """
    for contribution in sorted(contributions, key=lambda each: each.value <= 0):
        own = [(place, share) for place, share in contribution.items if place in liked]
        enough = max(own[0][1] * _WORTH_NAMING, 0.0) if own else 0.0
        evidence = [place for place, share in own if share > 0 and share >= enough]
        if evidence:
            yield contribution, evidence[:_MAX_NAMED]


def _from_text(item: ItemFacts, own: list[ItemFacts], passage: Passage | None) -> Reason:
    """What was said, if it was spoken; else shared tags; else what was written."""
    is_spoken = passage is not None and passage.start_s is not None
    shared = None if is_spoken else _shared_tags(item, own)
    item_ids = tuple(each.item_id for each in own)
    if shared is not None:
        return shared
    if passage is None:
        return Reason(kind="neighbours", text=f"Close to {_names(own)}", item_ids=item_ids)
    quote = f"“{shorten(passage.text, _MAX_QUOTE)}”"
    where = f"At {_clock(passage.start_s)} it says" if passage.start_s is not None else "It says"
    return Reason(
        kind="passage",
        text=f"{where} {quote}, close to {_names(own)}",
        item_ids=item_ids,
        start_s=passage.start_s,
        end_s=passage.end_s,
    )


def _matched_tags(item: ItemFacts, own: list[ItemFacts], tags: Sequence[str]) -> Reason | None:
    """The tags of the user's profile that an item shares with one of the user's own."""
    for each in own:
        shared = [name for name in tags if item.has_tag(name) and each.has_tag(name)][:_MAX_TAGS]
        if shared:
            text = f"Matches your interest in {_listed(shared)}, like {_names([each])}"
            item_ids = (each.item_id,)
            return Reason(kind="tags", text=text, item_ids=item_ids, tags=tuple(shared))
    return None


def _shared_tags(item: ItemFacts, own: list[ItemFacts]) -> Reason | None:
    """What an item shares with one of the user's own: creators, else tags, else genres."""
    for each in own:
        creators = [name for name in item.creators if name in each.creators]
        tags = [name for name in item.tags if name in each.tags and name not in item.creators]
        genres = [name for name in item.genres if name in each.genres]
        shared = creators or (tags or genres)[:_MAX_TAGS]
        if shared:
            words = f"By {_listed(shared)}" if creators else _listed(shared)
            text = f"{words}, like {_names([each])}, which you liked"
            text = text[0].upper() + text[1:]
            item_ids = (each.item_id,)
            return Reason(kind="tags", text=text, item_ids=item_ids, tags=tuple(shared))
    return None


def _names(own: Sequence[ItemFacts]) -> str:
    return _listed([f"“{shorten(each.title, _MAX_TITLE)}”" for each in own])


def _listed(words: Sequence[str]) -> str:
    """Join words as prose does.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _clock(seconds: float) -> str:
    """Write a time in a recording.

    Example:
        >>> _clock(75.2), _clock(3671)
        ('1:15', '1:01:11')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
