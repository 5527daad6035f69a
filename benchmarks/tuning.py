"""What the search for options is worth: each part as it comes and tuned, judged on unseen likes.

Each user's last like is held out as the test, and the last one before it as the validation that
the search judges by. The test is looked at once, with the parts fitted again on all that lies
before it.

    python benchmarks/tuning.py --workspace DIR [--trials N] [--budget S] [--seed N]

DIR is a workspace in which ``plmrec embed`` has run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time

import numpy as np

from plmrec.histories import Floats, TrainingData
from plmrec.params import load_params
from plmrec.recommenders.blend import Options, Part
from plmrec.settings import load_settings
from plmrec.splits import split_last
from plmrec.stages.part_search import fit_part, judge_users
from plmrec.stages.tuning import Search, draw_judged, tune_parts, usable_parts

K = 10


def load(workspace: str) -> TrainingData:
    """Read the dataset and the vectors of a workspace."""
    os.environ["PLMREC_WORKSPACE"] = workspace
    from plmrec.app.context import open_context
    from plmrec.app.inputs import read_inputs
    from plmrec.app.training_data import load_data

    context = open_context()
    return load_data(context, read_inputs(context).fingerprint)


def judge_last(part: Part, data: TrainingData) -> Floats:
    """NDCG@10 of each user's last like, the part fitted on all that lies before."""
    test = split_last(data.histories)
    rows = draw_judged(test, data.histories.n_users, seed=0)
    model = fit_part(part, data.with_histories(test.train))
    return judge_users(model, test, rows, K)


def main() -> None:
    """Search, and print one row a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--budget", type=float)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    data, params = load(arguments.workspace), load_params(load_settings().params)
    given = {"trials": arguments.trials, "budget_s": arguments.budget, "seed": arguments.seed}
    search = dataclasses.replace(
        Search.of(params), **{name: value for name, value in given.items() if value is not None}
    )
    before = data.with_histories(split_last(data.histories).train)
    validation = split_last(before.histories)
    parts = usable_parts(Options.model_validate(params.training.options), before.histories)
    rows = draw_judged(validation, params.training.validation_users, seed=search.seed)
    started = time.monotonic()
    tuned, _, trials = tune_parts(
        before.with_histories(validation.train), validation, parts=parts, search=search, rows=rows,
        k=K, step=lambda: None,
    )  # fmt: skip
    print(f"{len(trials)} settings in {time.monotonic() - started:.0f} s, {len(rows)} users")
    print(f"{'part':18} {'validation':>17} {'test':>17} {'gain':>8} {'+-':>6}  chosen")
    table = []
    for name, part in parts.items():
        own, *_ = tried = [trial for trial in trials if trial.part == name]
        chosen = next(trial for trial in tried if trial.is_chosen)
        one, two = judge_last(part, data), judge_last(tuned[name], data)
        table.append((own.ndcg, chosen.ndcg, one.mean(), two.mean()))
        error = (two - one).std() / np.sqrt(len(one))
        print(
            f"{name:18} {own.ndcg:8.4f} {chosen.ndcg:8.4f} {one.mean():8.4f} {two.mean():8.4f} "
            f"{(two - one).mean():+8.4f} {error:6.4f}  #{chosen.number} {chosen.options}"
        )
    print(f"{'mean':18}" + "".join(f" {value:8.4f}" for value in np.mean(table, axis=0)))


if __name__ == "__main__":
    main()
