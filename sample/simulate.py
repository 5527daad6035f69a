"""Simulates viewers: what they like, when they come, and what they do with an item."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from read_catalogue import Item

T = TypeVar("T")
N_USERS = 300
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
END = datetime(2025, 12, 26, tzinfo=timezone.utc)
MIN_EVENTS, MAX_EVENTS = 8, 200
MEDIAN_EVENTS, SPREAD = 29.0, 0.78
BY_TASTE, BY_FAME = 0.80, 0.14  # how an item comes before a viewer; the rest is chance
TEMPERATURE = 0.62  # the smaller, the more a choice follows taste
COUNTRIES = {  # country: language spoken beside English, share of the viewers
    "US": ("en", 0.24),
    "GB": ("en", 0.16),
    "DE": ("de", 0.13),
    "FR": ("fr", 0.10),
    "ES": ("es", 0.09),
    "IN": ("en", 0.08),
    "NG": ("en", 0.06),
    "SE": ("sv", 0.05),
    "EG": ("ar", 0.05),
    "JP": ("ja", 0.04),
}
DEVICES = {"phone": 0.46, "desktop": 0.22, "tv": 0.18, "tablet": 0.14}
AGES = {"18-24": 0.17, "25-34": 0.26, "35-44": 0.22, "45-54": 0.16, "55-64": 0.11, "65+": 0.08}
SEASON = {"Gardening": 4, "Cycling": 6, "Sea life": 7, "Weather": 10, "Cooking": 11, "Chess": 1}
"""The month in which a topic is in season."""
APPLAUSE = (
    "Loved this.",
    "Thank you, exactly what I was looking for.",
    "Came for a quick look, stayed to the end.",
    "Best one so far.",
    "Saved for later, and then watched it right away.",
    "More like this, please!",
    "Who else came here after the newsletter?",
    "So well explained 👏",
    "I have been following you for a year and it keeps getting better.",
    "Short, useful, no nonsense.",
)
GRUMBLES = (
    "Not for me, sorry.",
    "Too long for what it says.",
    "The sound is quite low.",
    "I expected something else from the title.",
    "Heard most of this before.",
    "Good idea, but it jumps around.",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of interactions.csv; value is already text."""

    user_id: str
    item_id: str
    event: str
    value: str
    at: datetime


@dataclass(slots=True)
class Viewer:
    """One user: attributes that are published, and tastes that are not."""

    user_id: str
    age_group: str
    country: str
    device: str
    language: str
    plan: str
    joined: datetime
    tastes: dict[str, float]
    later_tastes: dict[str, float]
    turns: datetime
    sub_tastes: dict[str, float]
    audio_love: float
    warmth: float
    n_events: int
    seen: dict[str, float] = field(default_factory=dict)
    followed: dict[str, float] = field(default_factory=dict)
    wanted: dict[str, float] = field(default_factory=dict)


def draw_viewers(items: list[Item], rng: random.Random) -> list[Viewer]:
    """Draw the users, each with one to three favourite topics that drift once."""
    topics = sorted({item.topic for item in items})
    related = {item.topic: item.related for item in items}
    subs = sorted({f"{item.topic}/{item.sub}" for item in items})
    viewers = []
    for number in range(1, N_USERS + 1):
        country = _pick({name: share for name, (_, share) in COUNTRIES.items()}, rng)
        language = COUNTRIES[country][0] if rng.random() < 0.8 else "en"
        first = topics[rng.randrange(len(topics))]
        tastes = {first: 1.0}
        for _ in range(_pick({0: 0.3, 1: 0.45, 2: 0.25}, rng)):
            pool = related[first] if rng.random() < 0.6 else topics
            tastes.setdefault(pool[rng.randrange(len(pool))], 0.45 + 0.45 * rng.random())
        later = dict(tastes)
        if rng.random() < 0.55:  # an interest fades, a neighbour of it takes its place
            fading = sorted(later)[rng.randrange(len(later))]
            later[fading] *= 0.35
            later[related[fading][rng.randrange(len(related[fading]))]] = 0.9
        joined = START - timedelta(days=rng.randrange(1, 400))
        if rng.random() < 0.35:
            joined = START + timedelta(seconds=rng.randrange(270 * 86_400))
        device = _pick(DEVICES, rng)
        n_events = round(MEDIAN_EVENTS * math.exp(rng.gauss(0, SPREAD)))
        viewers.append(
            Viewer(
                user_id=f"u{number:04d}",
                age_group=_pick(AGES, rng),
                country=country,
                device=device,
                language=language,
                plan="plus" if rng.random() < 0.3 else "free",
                joined=joined,
                tastes=tastes,
                later_tastes=later,
                turns=START + timedelta(seconds=rng.randrange(60 * 86_400, 330 * 86_400)),
                sub_tastes={sub: rng.gauss(0, 0.45) for sub in subs},
                audio_love=rng.gauss(0.35 if device == "phone" else -0.2, 0.35),
                warmth=rng.gauss(0, 0.5),
                n_events=max(MIN_EVENTS, min(MAX_EVENTS, n_events)),
            )
        )
    return viewers


def simulate(items: list[Item], viewers: list[Viewer], rng: random.Random) -> list[Event]:
    """Let every viewer come by until the number of events is reached; sorted by time."""
    open_items = [item for item in items if not item.is_cold]
    fame = {item.item_id: 0.55 * rng.gauss(0, 1) + _kind_fame(item.kind) for item in open_items}
    events: list[Event] = []
    for viewer in viewers:
        events += _live(viewer, open_items, fame, rng)
    return sorted(events, key=lambda event: (event.at, event.user_id))


def _live(
    viewer: Viewer, items: list[Item], fame: dict[str, float], rng: random.Random
) -> list[Event]:
    begin = max(START, viewer.joined)
    span_s = int((END - begin).total_seconds()) - 7200
    starts = sorted(
        begin + timedelta(seconds=rng.randrange(span_s)) for _ in range(viewer.n_events)
    )
    n_sessions = max(3, viewer.n_events // 5)
    starts = sorted(starts[rng.randrange(len(starts))] for _ in range(n_sessions))
    events: list[Event] = []
    while len(events) < viewer.n_events:
        if not starts:  # too few sessions: come back late in the year
            starts.append(max(begin, events[-1].at) + (END - max(begin, events[-1].at)) / 3)
        at = starts.pop(0)
        for _ in range(2 + rng.randrange(4)):
            item = _choose(viewer, items, fame, at, rng)
            happened, at = _react(viewer, item, fame[item.item_id], at, rng)
            events += happened
    return [event for event in events if event.at < END][: viewer.n_events]


def _affinity(viewer: Viewer, item: Item, at: datetime) -> float:
    """Taste for an item at a time: about 0 for a stranger, 3 for a favourite."""
    tastes = viewer.tastes if at < viewer.turns else viewer.later_tastes
    score = 2.4 * tastes.get(item.topic, 0.0)
    score += viewer.sub_tastes[f"{item.topic}/{item.sub}"]
    if item.kind in ("video", "audio"):
        score += viewer.audio_love if item.kind == "audio" else -viewer.audio_love
    if item.language not in ("en", viewer.language):
        score -= 2.5
    elif item.language != "en":
        score += 1.0
    return score


def _choose(
    viewer: Viewer, items: list[Item], fame: dict[str, float], at: datetime, rng: random.Random
) -> Item:
    way = rng.random()
    best, best_score = items[0], -math.inf
    for item in items:
        age_days = (at - item.published).total_seconds() / 86_400
        if age_days < 0:
            continue
        score = fame[item.item_id] + 1.1 * math.exp(-age_days / 25) + _season(item.topic, at)
        if way < BY_TASTE:
            score += _affinity(viewer, item, at) + viewer.wanted.get(item.item_id, 0.0)
            score += sum(viewer.followed.get(name, 0.0) for name in item.creators)
            noise = TEMPERATURE
        else:
            noise = 0.8 if way < BY_TASTE + BY_FAME else 6.0
        score -= 2.2 * viewer.seen.get(item.item_id, 0.0)
        score -= noise * math.log(-math.log(rng.random() * 0.999998 + 1e-6))
        if score > best_score:
            best, best_score = item, score
    following = [one for one in items if best.series and one.series == best.series]
    for one, after in itertools.pairwise(following):
        if one is best:  # the next part of a series calls
            viewer.wanted[after.item_id] = viewer.wanted.get(after.item_id, 0.0) + 1.3
    return best


def _react(
    viewer: Viewer, item: Item, fame: float, at: datetime, rng: random.Random
) -> tuple[list[Event], datetime]:
    liking = _affinity(viewer, item, at) - 1.15 + 0.5 * fame + 0.6 * viewer.warmth
    liking += rng.gauss(0, 0.8)
    rows: list[tuple[str, str]] = []
    spent_s = 2 + rng.randrange(9)
    if rng.random() < 0.34:
        rows.append(("impression", ""))
    viewer.seen[item.item_id] = viewer.seen.get(item.item_id, 0.0) + (1.0 if liking > 0 else 0.5)
    if rng.random() < _sigmoid(1.3 * liking + 0.9):
        rows.append(("click", ""))
        if item.duration_s is not None:
            share = min(1.0, max(0.02, 0.42 + 0.33 * liking + rng.gauss(0, 0.16)))
            spent_s += max(1, round(item.duration_s * share))
            rows[-1] = ("view", str(max(1, int(item.duration_s * share))))
        rows += _respond(item, liking, rng)
    elif rng.random() < 0.75:
        rows.append(("skip", ""))
    if liking > 0.2:
        for name in item.creators:
            viewer.followed[name] = min(1.0, viewer.followed.get(name, 0.0) + 0.3)
    events = []
    for event, value in rows:
        at += timedelta(seconds=1 + rng.randrange(6))
        events.append(Event(viewer.user_id, item.item_id, event, value, at))
        if event in ("view", "click"):
            at += timedelta(seconds=spent_s)
    return events, at + timedelta(seconds=20 + rng.randrange(200))


def _respond(item: Item, liking: float, rng: random.Random) -> list[tuple[str, str]]:
    rows = []
    if liking > 0 and rng.random() < 0.22 * min(2.0, liking + 0.5):
        rows.append(("like", ""))
    elif liking < -0.6 and rng.random() < 0.25:
        rows.append(("dislike", ""))
    if rng.random() < 0.10:
        rows.append(("rating", str(min(5, max(1, round(3.3 + 0.9 * liking + rng.gauss(0, 0.5)))))))
    if rng.random() < 0.035:
        texts = item.comments + APPLAUSE if liking > -0.2 else GRUMBLES
        rows.append(("comment", texts[rng.randrange(len(texts))]))
    if liking > 0.4 and rng.random() < 0.06:
        rows.append(("share", ""))
    if item.kind == "product" and rng.random() < _sigmoid(2 * liking - 2.2):
        rows.append(("purchase", ""))
    return rows


def _kind_fame(kind: str) -> float:
    return {"video": 0.25, "audio": 0.1, "product": -0.5, "ad": -0.9}[kind]


def _season(topic: str, at: datetime) -> float:
    if topic not in SEASON:
        return 0.0
    return 0.45 * math.cos(2 * math.pi * (at.month - SEASON[topic]) / 12)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _pick(shares: dict[T, float], rng: random.Random) -> T:
    at = rng.random() * sum(shares.values())
    for name, share in shares.items():
        at -= share
        if at < 0:
            return name
    return name
