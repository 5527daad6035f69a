"""From interactions to preferences: who liked, disliked or only met which item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from plmrec.histories import Bools, Floats, Histories, Ints
from plmrec.params import FeedbackParams
from plmrec.types import Event

EVENTS: Final = tuple(Event)  # an event's code is its place here
_CODE: Final = {event: code for code, event in enumerate(EVENTS)}
_OPINIONS: Final = (Event.RATING, Event.LIKE, Event.DISLIKE)
_DEEDS: Final = {Event.SHARE: 1.0, Event.PURCHASE: 1.0, Event.SKIP: -1.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interactions:
    """Interactions as columns, in any order; ties in time keep the order given.

    Attributes:
        users: int64 (n,), numbers of users.
        items: int64 (n,), places in the catalogue.
        events: int64 (n,), places in ``EVENTS``.
        values: float64 (n,), rating or seconds; nan when there is none.
        times: float64 (n,), seconds since 1970; nan when unknown.
        sentiments: float64 (n,), of a comment's words, in [-1, 1]; nan when unknown; None when it
            is unknown of all.
    """

    users: Ints
    items: Ints
    events: Ints
    values: Floats
    times: Floats
    sentiments: Floats | None = None


def weigh_events(
    events: Ints,
    values: Floats,
    durations_s: Floats,
    feedback: FeedbackParams,
    sentiments: Floats | None = None,
) -> Floats:
    """How much each interaction says, for or against the item.

    Likes, shares, purchases, ratings from ``min_rating`` on, and views of at least
    ``min_watch_share`` of the duration weigh 1; a view whose seconds or duration are unknown too.
    Clicks weigh ``click_weight``. Dislikes, skips and lower ratings weigh -1. Shorter views,
    impressions and ratings without a value say nothing. A comment weighs what ``weigh_comments``
    says, like a click when nothing is known of its sentiment.

    Args:
        events: int64 (n,), places in ``EVENTS``.
        values: float64 (n,), nan when there is none.
        durations_s: float64 (n,), of the item, seconds; nan when unknown.
        feedback: The thresholds.
        sentiments: See ``Interactions``.

    Returns:
        float64 (n,), in [-1, 1].
    """
    weights = np.zeros(len(events))
    for event, weight in _DEEDS.items():
        weights[events == _CODE[event]] = weight
    weights[events == _CODE[Event.LIKE]] = 1.0
    weights[events == _CODE[Event.DISLIKE]] = -1.0
    for event in (Event.CLICK, Event.COMMENT):
        weights[events == _CODE[event]] = feedback.click_weight
    if sentiments is not None:
        commented = events == _CODE[Event.COMMENT]
        weights[commented] = weigh_comments(sentiments[commented], feedback)
    rated = (events == _CODE[Event.RATING]) & np.isfinite(values)
    weights[rated] = np.where(values[rated] >= feedback.min_rating, 1.0, -1.0)
    viewed = events == _CODE[Event.VIEW]
    measured = np.isfinite(values) & (durations_s > 0)
    enough = values >= feedback.min_watch_share * durations_s
    weights[viewed] = (~measured | enough)[viewed].astype(np.float64)
    return weights


def weigh_comments(sentiments: Floats, feedback: FeedbackParams) -> Floats:
    """How much comments say, for or against the item, by the sentiment of their words.

    Praise counts for the item and blame against it, ``comment_weight`` times the sentiment; but
    nobody comments on what leaves them cold, so that praise weighs ``click_weight`` at least, as
    does a comment that is neither.

    Args:
        sentiments: float64 (n,), in [-1, 1]; nan when unknown, which counts as neither.
        feedback: ``click_weight comment_weight min_sentiment`` are used.

    Returns:
        float64 (n,), in [-1, 1].
    """
    known = np.nan_to_num(sentiments, nan=0.0)
    scaled = feedback.comment_weight * known
    is_against = known <= -feedback.min_sentiment
    is_against &= known < 0
    is_for = known >= feedback.min_sentiment
    said = np.where(is_for, np.maximum(scaled, feedback.click_weight), feedback.click_weight)
    return np.where(is_against, scaled, said)


def summarise(
    interactions: Interactions,
    *,
    durations_s: Floats,
    user_ids: Sequence[str],
    feedback: FeedbackParams,
) -> Histories:
    """One entry per user and item, impressions left out.

    The latest word counts: the last rating, like or dislike decides alone. Without one the deeds
    add up, what goes beyond one like by its logarithm: five views weigh ``1 + ln 5``. An entry's
    time is that of the pair's last interaction, its watch share that of the longest view.

    Args:
        interactions: Of users numbered as ``user_ids``.
        durations_s: float64 (n_items,), nan when unknown.
        user_ids: Ids of all users, n_users.
        feedback: See ``weigh_events``.
    """
    met = np.flatnonzero(interactions.events != _CODE[Event.IMPRESSION])
    keys = (np.nan_to_num(interactions.times, nan=-np.inf), interactions.items, interactions.users)
    order = met[np.lexsort([key[met] for key in keys])]
    users, items, events = (
        interactions.users[order],
        interactions.items[order],
        interactions.events[order],
    )
    values, times = interactions.values[order], interactions.times[order]
    sentiments = None if interactions.sentiments is None else interactions.sentiments[order]
    weights = weigh_events(events, values, durations_s[items], feedback, sentiments)
    is_opinion = np.isin(events, [_CODE[event] for event in _OPINIONS])
    is_opinion &= ~((events == _CODE[Event.RATING]) & np.isnan(values))
    is_first = np.ones(len(users), dtype=np.bool_)
    is_first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    starts = np.flatnonzero(is_first)
    return Histories.build(
        user_ids=user_ids,
        n_items=len(durations_s),
        users=users[starts],
        items=items[starts],
        weights=_weigh_pairs(weights, is_opinion, starts),
        times=np.fmax.reduceat(times, starts) if len(starts) else times,
        watch_shares=_longest_views(events, values, durations_s[items], starts),
    )


def _longest_views(
    events: Ints, values: Floats, durations_s: Floats, starts: Ints
) -> Floats | None:
    """Share of the duration that each pair's longest view watched, nan unknown; None without any.

    A view beyond the end counts as a whole one.
    """
    measured = (events == _CODE[Event.VIEW]) & (values >= 0) & (durations_s > 0)
    if not measured.any():
        return None
    shares = np.full(len(events), np.nan)
    shares[measured] = np.minimum(values[measured] / durations_s[measured], 1.0)
    return np.asarray(np.fmax.reduceat(shares, starts))


def _weigh_pairs(weights: Floats, is_opinion: Bools, starts: Ints) -> Floats:
    """Weight of each pair from its interactions in order of time."""
    if not len(starts):
        return weights
    deeds = np.add.reduceat(np.where(is_opinion, 0.0, weights), starts)
    damped = np.where(deeds > 1.0, 1.0 + np.log(np.maximum(deeds, 1.0)), np.maximum(deeds, -1.0))
    places = np.where(is_opinion, np.arange(len(weights)), -1)
    last = np.maximum.reduceat(places, starts)
    return np.where(last >= 0, weights[np.maximum(last, 0)], damped)
