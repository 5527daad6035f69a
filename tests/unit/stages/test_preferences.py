from __future__ import annotations

import math

import numpy as np
import pytest

from plmrec.histories import Histories
from plmrec.params import FeedbackParams
from plmrec.stages.preferences import EVENTS, Interactions, summarise, weigh_comments
from plmrec.types import Event

NAN = math.nan
DURATIONS = np.array([100.0, NAN, 100.0])


def preferences(*rows: tuple[int, str, float, float]) -> Histories:
    """One user's (item, event, value, time)."""
    items, events, values, times = zip(*rows, strict=True)
    codes = [EVENTS.index(Event(event)) for event in events]
    return summarise(
        Interactions(
            users=np.zeros(len(rows), dtype=np.int64),
            items=np.array(items),
            events=np.array(codes),
            values=np.array(values),
            times=np.array(times),
        ),
        durations_s=DURATIONS,
        user_ids=["u"],
        feedback=FeedbackParams(),
    )


@pytest.mark.parametrize(
    ("item", "event", "value", "weight"),
    [
        (0, "rating", 4.0, 1.0),
        (0, "rating", 3.5, -1.0),
        (0, "rating", NAN, 0.0),
        (0, "like", NAN, 1.0),
        (0, "share", NAN, 1.0),
        (0, "purchase", NAN, 1.0),
        (0, "dislike", NAN, -1.0),
        (0, "skip", NAN, -1.0),
        (0, "click", NAN, 0.3),
        (0, "comment", NAN, 0.3),
        (0, "view", 50.0, 1.0),
        (0, "view", 49.0, 0.0),
        (0, "view", NAN, 1.0),
        (1, "view", 3.0, 1.0),
    ],
)
def test_each_event_says_what_the_contract_says(item, event, value, weight):
    found = preferences((item, event, value, 1.0))
    assert found.items.tolist() == [item]
    assert found.weights.tolist() == [weight]


def test_impressions_are_not_seen():
    assert not len(preferences((0, "impression", NAN, 1.0)).items)


def test_the_last_word_counts_whatever_was_done_before():
    found = preferences(
        (0, "view", 100.0, 1.0),
        (0, "rating", 5.0, 2.0),
        (0, "rating", 1.0, 3.0),
        (0, "share", NAN, 4.0),
    )
    assert found.weights.tolist() == [-1.0]
    assert found.times.tolist() == [4.0]


def test_an_earlier_opinion_given_later_in_the_file_does_not_win():
    found = preferences((0, "like", NAN, 9.0), (0, "dislike", NAN, 2.0))
    assert found.weights.tolist() == [1.0]


def test_deeds_add_up_and_are_damped():
    views = [(0, "view", 100.0, float(t)) for t in range(5)]
    assert preferences(*views).weights.tolist() == [pytest.approx(1 + math.log(5))]
    assert preferences((0, "click", NAN, 1.0), (0, "click", NAN, 2.0)).weights[0] == 0.6
    assert preferences((0, "view", NAN, 1.0), (0, "skip", NAN, 2.0)).weights[0] == 0.0
    assert preferences((0, "skip", NAN, 1.0), (0, "skip", NAN, 2.0)).weights[0] == -1.0


def test_undated_interactions_stay_undated():
    found = preferences((0, "like", NAN, NAN), (2, "like", NAN, 5.0), (2, "view", NAN, NAN))
    assert np.isnan(found.times[found.items == 0]).all()
    assert found.times[found.items == 2].tolist() == [5.0]


def test_the_watch_share_is_that_of_the_longest_view_and_one_at_most():
    found = preferences(
        (0, "view", 30.0, 1.0),
        (0, "view", 20.0, 2.0),
        (0, "like", NAN, 3.0),
        (1, "view", 30.0, 4.0),  # of unknown duration
        (2, "view", 130.0, 5.0),
    )
    np.testing.assert_array_equal(found.watch_shares, [0.3, NAN, 1.0])


def test_without_a_measured_view_there_are_no_watch_shares():
    assert preferences((0, "view", NAN, 1.0), (0, "like", NAN, 2.0)).watch_shares is None


@pytest.mark.parametrize(
    ("sentiment", "weight"),
    [
        (1.0, 1.0),
        (0.6, 0.6),
        (0.1, 0.3),
        (0.0, 0.3),
        (NAN, 0.3),
        (-0.04, 0.3),
        (-0.1, -0.1),
        (-1.0, -1.0),
    ],
)
def test_a_comment_counts_for_or_against_by_its_sentiment(sentiment, weight):
    found = weigh_comments(np.array([sentiment]), FeedbackParams())
    assert found.tolist() == [pytest.approx(weight)]


def test_comments_can_be_made_to_weigh_like_clicks_unless_they_are_against():
    params = FeedbackParams(comment_weight=0.0)
    assert weigh_comments(np.array([0.9, 0.0, -0.9]), params).tolist() == [0.3, 0.3, 0.0]


def test_sentiments_lie_at_their_comments_whatever_the_order_of_the_rows():
    comment, like = EVENTS.index(Event.COMMENT), EVENTS.index(Event.LIKE)
    found = summarise(
        Interactions(
            users=np.zeros(4, dtype=np.int64),
            items=np.array([2, 0, 1, 0]),
            events=np.array([comment, comment, like, EVENTS.index(Event.IMPRESSION)]),
            values=np.full(4, NAN),
            times=np.array([4.0, 3.0, 2.0, 1.0]),
            sentiments=np.array([-0.8, 0.9, -1.0, -1.0]),
        ),
        durations_s=DURATIONS,
        user_ids=["u"],
        feedback=FeedbackParams(),
    )
    assert dict(zip(found.items.tolist(), found.weights.tolist(), strict=True)) == pytest.approx(
        {0: 0.9, 1: 1.0, 2: -0.8}
    )
