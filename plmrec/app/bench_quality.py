"""Compares recommenders on one dataset: the release's, classics, and models that read texts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, get_args

from plmrec.app.bench_log import check_store, log_bench
from plmrec.app.bench_page import bench_page
from plmrec.app.bench_plots import draw_plots
from plmrec.app.context import Context, open_context
from plmrec.app.inputs import Inputs, read_inputs
from plmrec.errors import DataContractError, ParamsError
from plmrec.params import Params
from plmrec.settings import Settings

if TYPE_CHECKING:
    from plmrec.splits import SplitKind
    from plmrec.stages.bench_models import Depth
    from plmrec.stages.bench_runs import Bed, Figures

Progress: TypeAlias = Callable[[int, int, str], None]

PROTOCOLS: Final = {
    "last": "each user's last like is held out; others' later entries are known",
    "time": "the likes of the last part of the time are held out; nothing later is known",
    "random": "a random like of each user is held out; later entries are known, the user's, too",
    "cold-items": "some items are taken out of training, and only they compete; "
    "later entries of the others are known",
    "cold-users": "some users are taken out of training; what they did before their last like is "
    "told when they ask; others' later entries are known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a bench compares, and how.

    Attributes:
        protocol: One of ``PROTOCOLS``.
        share: Share of the time, the items or the users that is held out.
        k: Length of the lists.
        n_seeds: How often a model that draws numbers is fitted.
        models: Names of the models; all when empty.
        ablation: ``none``; ``texts``: the release without the language model's vectors, and with
            only what reads texts; ``parts``: also without each part in turn.
    """

    protocol: SplitKind = "last"
    share: float = 0.2
    k: int = 10
    n_seeds: int = 1
    models: Sequence[str] = ()
    ablation: Depth = "parts"


def make_plan(*, protocol: str, ablation: str, models: Sequence[str] = (), **others: Any) -> Plan:
    """A plan from words, which are checked.

    Raises:
        ParamsError: There is no such protocol, ablation or model.
    """
    from plmrec.stages.bench_models import Depth, choose_names

    if protocol not in PROTOCOLS:
        raise ParamsError(f"bench: expected protocol among {list(PROTOCOLS)}, got {protocol!r}")
    if ablation not in get_args(Depth):
        raise ParamsError(f"bench: expected ablation among {get_args(Depth)}, got {ablation!r}")
    return Plan(
        protocol=cast("SplitKind", protocol),
        ablation=cast("Depth", ablation),
        models=choose_names(models),
        **others,
    )


def bench_quality(
    dataset: str,
    plan: Plan,
    *,
    output: Path | None = None,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total, _what: None,
) -> dict[str, Any]:
    """Validate and embed a dataset, then tune, fit and judge every model on the same split.

    A workspace that the environment or the command line names is used, and its dataset becomes this
    one; otherwise the dataset goes to a temporary one. Results go to the MLflow store that
    trainings of the same workspace go to.

    Args:
        dataset: Folder that follows the dataset contract.
        plan: What to compare.
        output: Where to write a report for people, HTML; None writes none.
        settings: Where to run; the environment by default.
        params: ``seed``, ``feedback``, ``training`` and ``evaluation`` are used, besides what the
            stages before read.
        progress: Told models done and to do, and what is done now.

    Returns:
        ``dataset dataset_digest encoder protocol knows k users items split_digest judged heldout
        seeds reference models comparisons ablation mlflow``; ``models`` has a row per model,
        ``comparisons`` the reference against each, ``ablation`` the reference against itself with
        fewer parts.

    Raises:
        DataContractError: The dataset is not valid, or nobody, or no model, can be judged.
        ParamsError: A model is not known.
        ServiceUnavailableError: MLflow does not answer.
    """
    from plmrec.stages.bench_models import choose_names

    names = choose_names(plan.models)
    home = open_context(settings, params)
    check_store(home)
    with bench_workspace(home) as context:
        inputs, bed = _prepare(context, dataset, plan, progress)
    figures = _run(bed, names, plan, progress)
    if all(each.judgement is None for each in figures):
        raise DataContractError(
            f"bench: expected a model that can be judged, found none of {len(figures)}; "
            f"{figures[0].name}: {figures[0].reason}"
        )
    result = _result(inputs, bed, plan, figures)
    plots = draw_plots(result)
    page = bench_page(result, plots)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    files = {"bench.html": page, **{f"plots/{name}.svg": plot for name, plot in plots.items()}}
    return result | {"mlflow": log_bench(home, inputs, result, files)}


@contextmanager
def bench_workspace(home: Context) -> Iterator[Context]:
    """The workspace that was named, else a temporary one."""
    if "workspace" in home.settings.model_fields_set:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="plmrec-bench-") as folder:
        settings = home.settings.model_copy(update={"workspace": folder})
        yield open_context(settings, home.params)


def _prepare(context: Context, dataset: str, plan: Plan, progress: Progress) -> tuple[Inputs, Bed]:
    """Run the stages before training, and split what they leave."""
    from plmrec.app.embed import embed
    from plmrec.app.groups import load_groups
    from plmrec.app.training_data import load_data
    from plmrec.app.transcribe import transcribe
    from plmrec.app.understand import understand
    from plmrec.app.validate import validate
    from plmrec.splits import make_split
    from plmrec.stages.bench_runs import make_bed

    where: dict[str, Any] = {"settings": context.settings, "params": context.params}
    progress(0, 0, "validate")
    validate(dataset, **where)
    transcribe(progress=lambda done, total: progress(done, total, "transcribe"), **where)
    embed(progress=lambda done, total: progress(done, total, "embed"), **where)
    understand(progress=lambda done, total: progress(done, total, "understand"), **where)
    inputs = read_inputs(context)
    data = load_data(context, inputs.fingerprint)
    split = make_split(data.histories, plan.protocol, share=plan.share, seed=context.params.seed)
    groups = load_groups(context, data.catalogue, data.histories)
    bed = make_bed(data, split, context.params, groups=groups, k=plan.k, n_seeds=plan.n_seeds)
    return inputs, bed


def _run(bed: Bed, names: Sequence[str], plan: Plan, progress: Progress) -> list[Figures]:
    """Judge every model, the release last, then its variants."""
    from plmrec.stages.bench_models import RELEASE, contenders, variants
    from plmrec.stages.bench_runs import run_contender, run_release, run_variant

    known, found = contenders(), []
    for place, name in enumerate(names):
        progress(place, len(names), name)
        found.append(run_release(bed) if name == RELEASE else run_contender(known[name], bed))
    release = next((each for each in found if each.name == RELEASE and each.recipe), None)
    ablation = variants(release.recipe, plan.ablation) if release is not None else []
    total = len(names) + len(ablation)
    for place, variant in enumerate(ablation):
        progress(len(names) + place, total, variant.name)
        found.append(run_variant(variant, release.recipe if release else {}, bed))
    progress(total, total, "done")
    return found


def _result(inputs: Inputs, bed: Bed, plan: Plan, figures: list[Figures]) -> dict[str, Any]:
    from plmrec.stages.bench_result import (
        choose_reference,
        compare_all,
        describe,
        describe_versus,
    )

    models = [each for each in figures if each.family != "ablation"]
    ablation = [each for each in figures if each.family == "ablation"]
    reference = choose_reference(models)

    def versus(others: list[Figures]) -> list[dict[str, Any]]:
        compared = compare_all(reference, others, bed) if reference is not None else []
        return [describe_versus(each) for each in compared]

    return {
        "dataset": Path(inputs.source).name,
        "source": inputs.source,
        "dataset_digest": inputs.dataset_digest,
        "encoder": {name: inputs.encoder.get(name) for name in ("name", "fingerprint")},
        "protocol": plan.protocol,
        "knows": PROTOCOLS[plan.protocol],
        "share": plan.share,
        "k": plan.k,
        "seed": bed.params.seed,
        "seeds": plan.n_seeds,
        "confidence": bed.params.evaluation.confidence,
        "split_digest": bed.split.digest(),
        "users": bed.data.histories.n_users,
        "items": bed.data.catalogue.n_items,
        "competing": bed.data.catalogue.n_items
        if bed.split.candidates is None
        else int(bed.split.candidates.sum()),
        "likes": int(bed.before.histories.is_positive.sum()),
        "judged": len(bed.rows),
        "heldout": len(bed.split.heldout.take(bed.rows).items),
        "reference": None if reference is None else reference.name,
        "models": [describe(each, bed) for each in figures],
        "comparisons": versus(models),
        "ablation": versus(ablation),
    }
