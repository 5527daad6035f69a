"""Ranker against logistic regression on the same inputs: is a met item liked (rating >= 4)?

The LSTM reads the texts of a history in order; the regression gets the same texts pooled (their
recency-weighted mean, signed by feedback), the candidate's text, the product of both, and the same
five numbers about user and item. The last 20 % are held out: of each user's ratings, or with
``--split time`` of all ratings, so that most users are new. Both may read what a user did up to
the moment of the rating they predict; counts of items come from training alone. The regression's
recency and penalty are tuned on the last of the training entries, then it learns from all of them;
the ranker sets those aside and never learns from them.

    python benchmarks/ranker_vs_logistic.py DATASET [--split user|time] [--workspace DIR]

A ``--workspace`` in which ``plmrec embed`` has run is used as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from plmrec.backends import build_backend
from plmrec.histories import Bools, Floats, Histories, TrainingData
from plmrec.metrics.calibration import Platt, fit_platt
from plmrec.metrics.probabilities import area_under_curve, best_threshold, judge_probabilities
from plmrec.recommenders._centred_texts import CentredTexts
from plmrec.recommenders._ranker_inputs import (
    ItemCounts,
    deal_entries,
    item_numbers,
    user_numbers,
)

RESAMPLES = 1000
PENALTIES = (1e-4, 3e-4, 1e-3, 1e-2)  # values of C
DECAYS = (5.0, 20.0, 60.0)  # entries
SHOWN = ("auc", "log_loss", "calibration_error", "accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Predicted:
    """What one model said of the held-out entries."""

    name: str
    probabilities: Floats
    threshold: float
    seconds: float


def load(dataset: Path | None, workspace: str) -> TrainingData:
    """Read a workspace, after validating and embedding the dataset into it if one is given."""
    os.environ["PLMREC_WORKSPACE"] = workspace
    from plmrec.app.context import open_context
    from plmrec.app.inputs import read_inputs
    from plmrec.app.training_data import load_data

    if dataset is not None:
        for stage in (["validate", "--dataset", str(dataset)], ["transcribe"], ["embed"]):
            subprocess.run([sys.executable, "-m", "plmrec", *stage], check=True)
    context = open_context()
    return load_data(context, read_inputs(context).fingerprint)


def held_out(histories: Histories, split: str, share: float = 0.2) -> Bools:
    """The last share of each user's entries, or of all entries."""
    if split == "time":
        return histories.times > np.quantile(histories.times, 1.0 - share)
    counts = np.diff(histories.indptr)[histories.users]
    return histories.ranks_from_end() < np.floor(share * counts)


def pool(histories: Histories, decay_items: float) -> sp.csr_matrix:
    """Weights of what came before each entry: signed by feedback, falling with every entry since.

    The absolute weights of a row add up to 1.
    """
    rows, columns, values = [], [], []
    signs = np.where(histories.is_positive, 1.0, -1.0)
    reach = int(8 * decay_items)
    for user in range(histories.n_users):
        start, stop = histories.indptr[user], histories.indptr[user + 1]
        for entry in range(start + 1, stop):
            first = max(start, entry - reach)
            weights = np.exp(-np.arange(entry - 1 - first, -1, -1) / decay_items)
            rows.append(np.full(entry - first, entry))
            columns.append(histories.items[first:entry])
            values.append(signs[first:entry] * weights / weights.sum())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_matrix(entries, shape=(len(histories.items), histories.n_items))


def numbers_of(histories: Histories, learnt: Bools) -> Floats:
    """The five numbers that the ranker is told, counted over ``learnt`` entries only."""
    counts = ItemCounts.of(histories, learnt)
    items = item_numbers(histories, learnt, folds=5, seed=7)
    items[~learnt] = counts.numbers(histories.items[~learnt])
    return np.concatenate([user_numbers(histories, counts.rate), items], axis=1)


def regress(inputs: Floats, liked: Bools, learnt: Bools, penalty: float) -> Floats:
    """Logits of all entries from a regression on standardised inputs."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = inputs[learnt].mean(axis=0), inputs[learnt].std(axis=0) + 1e-6
    scaled = (inputs - mean) / deviation
    model = LogisticRegression(C=penalty, max_iter=500)
    return model.fit(scaled[learnt], liked[learnt]).decision_function(scaled)


class Regression:
    """The rival: tuned on ``checked``, then learnt from everything that is not held out."""

    def __init__(self, data: TrainingData, test: Bools) -> None:
        train = data.histories.keep(~test)
        _, checked, reported = deal_entries(train, 0.15, 7)
        self.histories, self.test = data.histories, test
        self.checked = np.zeros(len(test), dtype=np.bool_)
        self.checked[~test] = checked | reported
        self.learnt = ~test & ~self.checked
        self.texts = CentredTexts.of(data.catalogue).rows

    def inputs(self, learnt: Bools, decay: float | None) -> Floats:
        """Numbers, and unless ``decay`` is None texts, of every entry."""
        numbers = numbers_of(self.histories, learnt).astype(np.float32)
        if decay is None:
            return numbers
        mine = self.texts[self.histories.items]
        pooled = np.asarray(pool(self.histories, decay) @ self.texts, dtype=np.float32)
        return np.concatenate([mine, pooled, mine * pooled, numbers], axis=1)

    def tune(self, decays: tuple[float | None, ...]) -> tuple[float | None, float, Platt, float]:
        """Best recency, best penalty, and calibration and threshold with them."""
        liked, checked = self.histories.is_positive, self.checked
        found = []
        for decay in decays:
            inputs = self.inputs(self.learnt, decay)
            for penalty in PENALTIES:
                logits = regress(inputs, liked, self.learnt, penalty)[checked]
                found.append((area_under_curve(logits, liked[checked]), decay, penalty, logits))
        _, decay, penalty, logits = max(found, key=lambda one: one[0])
        platt = fit_platt(logits, liked[checked])
        return decay, penalty, platt, best_threshold(platt.apply(logits), liked[checked])

    def run(self, name: str, decays: tuple[float | None, ...]) -> Predicted:
        """Tune, learn from everything, and predict the held-out entries."""
        started = time.monotonic()
        decay, penalty, platt, threshold = self.tune(decays)
        liked = self.histories.is_positive
        logits = regress(self.inputs(~self.test, decay), liked, ~self.test, penalty)
        probabilities = platt.apply(logits[self.test])
        told = f"{name} (C {penalty:g}" + (f", decay {decay:g})" if decay else ")")
        return Predicted(told, probabilities, threshold, time.monotonic() - started)


def rank(name: str, data: TrainingData, test: Bools, tasks: tuple[str, ...]) -> Predicted:
    """Fit the ranker on what is not held out and predict the held-out entries."""
    started = time.monotonic()
    model = build_backend("recommenders", "ranker", {"tasks": tasks})
    model.fit(data.with_histories(data.histories.keep(~test)))
    probabilities = model.predict_entries(data.histories)[test]
    threshold = model.report()["threshold"]
    return Predicted(name, probabilities, threshold, time.monotonic() - started)


def weighted_area(scores: Floats, liked: Bools) -> Callable[[Floats], float]:
    """The area under the curve as a function of how often each entry counts."""
    _, group = np.unique(scores, return_inverse=True)

    def area(times: Floats) -> float:
        yes = np.bincount(group, times * liked)
        no = np.bincount(group, times * ~liked)
        below = np.cumsum(no) - no / 2.0
        return float(yes @ below / (yes.sum() * no.sum()))

    return area


def intervals(
    models: list[Predicted], liked: Bools, users: np.ndarray, seed: int = 7
) -> list[Floats]:
    """Areas of every model over the same resamples of the users, each (RESAMPLES,)."""
    areas = [weighted_area(model.probabilities, liked) for model in models]
    rng = np.random.default_rng(seed)
    names, row = np.unique(users, return_inverse=True)
    found = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[row]
        found.append([area(times.astype(np.float64)) for area in areas])
    return list(np.array(found).T)


def show(models: list[Predicted], liked: Bools, users: np.ndarray) -> None:
    """Print one table of all models, and the gain of the last rankers over the regression."""
    print("| model | " + " | ".join(SHOWN) + " | seconds |")
    print("|---|" + "---|" * (len(SHOWN) + 1))
    for model in models:
        found = judge_probabilities(model.probabilities, liked, model.threshold)
        cells = " | ".join(f"{found[name]:.4f}" for name in SHOWN)
        print(f"| {model.name} | {cells} | {model.seconds:.0f} |")
    drawn = intervals(models, liked, users)
    rival = 1
    print("\nGain in AUC over the regression on everything, 95 % interval over resampled users:")
    for place in range(rival + 1, len(models)):
        gains = drawn[place] - drawn[rival]
        low, high = np.quantile(gains, [0.025, 0.975])
        mean = area_under_curve(models[place].probabilities, liked) - area_under_curve(
            models[rival].probabilities, liked
        )
        print(f"  {models[place].name}: {mean:+.4f} [{low:+.4f}, {high:+.4f}]")


def main() -> None:
    """Run the benchmark and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--split", choices=("user", "time"), default="user")
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    if arguments.dataset is None and arguments.workspace is None:
        parser.error("give a DATASET, or a --workspace in which one was embedded")
    with tempfile.TemporaryDirectory(prefix="plmrec-ranker-") as folder:
        data = load(arguments.dataset, arguments.workspace or folder)
    test = held_out(data.histories, arguments.split)
    liked, users = data.histories.is_positive[test], data.histories.users[test]
    print(f"{test.sum()} ratings of {len(np.unique(users))} users, {liked.mean():.3f} liked\n")
    regression = Regression(data, test)
    models = [
        regression.run("regression on numbers alone", (None,)),
        regression.run("regression on everything", DECAYS),
        rank("ranker, like", data, test, ("like",)),
        rank("ranker, like and click", data, test, ("like", "click")),
    ]
    show(models, liked, users)


if __name__ == "__main__":
    main()
