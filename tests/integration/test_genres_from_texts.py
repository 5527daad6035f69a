"""Genres that are hidden are found again in the plots of films, at one threshold for all tags."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from plmrec.backends import build_backend
from plmrec.understanding.tag_lists import label_id, label_tags
from plmrec.understanding.taxonomy import TagSources, build_taxonomy, centre, tag_items

pytestmark = [pytest.mark.slow, pytest.mark.realdata]


def test_genres_of_a_fifth_of_the_films_are_found_in_their_plots(shared_data):
    with (shared_data / "ml100k" / "items.jsonl").open(encoding="utf-8") as file:
        films = [row for row in map(json.loads, file) if row["description"]]
    encoder = build_backend("encoders", "transformer", {})
    vectors = encoder.encode([f"{film['title']}. {film['description']}" for film in films])
    hidden = np.random.default_rng(5).random(len(films)) < 0.2
    shown = [[] if hide else film["genres"] for hide, film in zip(hidden, films, strict=True)]
    tags, carriers = label_tags(shown, "genre", min_items=5)
    taxonomy = build_taxonomy(
        TagSources(tags=tags, carriers=carriers, vectors=vectors, tail=0.03),
        version=1,
        fingerprint=encoder.fingerprint,
        encode=encoder.encode,
    )
    ids = [tag.tag_id for tag in tags]
    own = [{label_id("genre", name) for name in film["genres"]} for film in films]
    truth = np.array([[tag_id in names for tag_id in ids] for names in own])[hidden]
    cosines = centre(vectors[hidden], taxonomy.mean) @ taxonomy.vectors.T
    strengths = 1 / (1 + np.exp(-(cosines - taxonomy.offsets) / taxonomy.scales))
    found = tag_items(
        taxonomy, vectors[hidden], [[]] * int(hidden.sum()), min_strength=0.5, max_tags=30
    )
    guessed = [{tag.tag_id for tag in some} for some in found]
    right = sum(
        len(some & names) for some, names in zip(guessed, np.array(own)[hidden], strict=True)
    )
    precision = right / sum(map(len, guessed))
    recall = right / int(truth.sum())
    auc = roc_auc_score(truth.ravel(), strengths.ravel())
    print(f"auc {auc:.3f} precision {precision:.3f} recall {recall:.3f}")  # noqa: T201
    for low, high in ((0.3, 0.4), (0.5, 0.6)):
        share = truth[(strengths >= low) & (strengths < high)].mean()
        print(f"strength {low} to {high}: right in {share:.0%}")  # noqa: T201
    assert auc > 0.88
    assert precision > 0.65  # a strength of 1/2 and more is right more often than not
    assert recall > 0.25
    # A strength is a probability: what has 0.3 to 0.5 is a label about that often.
    middle = (strengths > 0.3) & (strengths < 0.5)
    assert 0.3 < truth[middle].mean() < 0.65
