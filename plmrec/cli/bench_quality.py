"""``plmrec bench quality``: recommenders on one split of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plmrec.cli import output
from plmrec.cli.bench import DatasetOption, bench
from plmrec.text.numbers import ends, number

_COLUMNS: Final = (
    "model", "ndcg", "interval", "recall", "coverage", "fit s", "score s", "MB",
)  # fmt: skip


@bench.command()
def quality(
    *,
    dataset: DatasetOption,
    protocol: Annotated[
        str,
        typer.Option(help="What is held out: last, time, random, cold-items or cold-users."),
    ] = "last",
    share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of the time, items or users that is held out."),
    ] = 0.2,
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 10,
    seeds: Annotated[
        int, typer.Option(min=1, help="How often a model that draws numbers is fitted.")
    ] = 1,
    models: Annotated[str, typer.Option(help="Names, with commas between; all by default.")] = "",
    ablation: Annotated[
        str,
        typer.Option(
            help="The release with less: none; texts: without vectors of texts, and with "
            "only what reads texts; parts: also without each part in turn."
        ),
    ] = "parts",
    report: Annotated[
        Path | None, typer.Option("--output", help="Write a report for people, HTML.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Tune, fit and judge recommenders on one split of a dataset, and compare them."""
    from plmrec.app.bench_quality import bench_quality as run
    from plmrec.app.bench_quality import make_plan
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    plan = make_plan(
        protocol=protocol,
        share=share,
        k=k,
        n_seeds=seeds,
        models=[name.strip() for name in models.split(",") if name.strip()],
        ablation=ablation,
    )
    with needed(load_settings()), output.progress_bar() as bar:
        task = bar.add_task("bench quality", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total or None, description=what)

        result = run(str(dataset), plan, output=report, progress=tell)
    if as_json:
        output.print_json(result)
    else:
        _print_quality(result)


def _print_quality(result: dict[str, Any]) -> None:
    """Tables of the models and of the comparisons, and a line for each that was left out."""
    k = result["k"]
    rows = [
        _measured(model, k)
        for model in result["models"]
        if model["status"] == "ok" and model["family"] != "ablation"
    ]
    title = f"{result['dataset']}, protocol {result['protocol']}, {result['judged']} users, k {k}"
    output.print_table(rows, _COLUMNS, title=title)
    for model in result["models"]:
        if model["status"] != "ok":
            output.err.print(f"left out: {model['model']}: {model['reason']}", highlight=False)
    compared = [*result["comparisons"], *result["ablation"]]
    if compared:
        output.out.print()
        output.print_table(
            [_compared(each) for each in compared],
            ("against", "gain", "interval of it", "ratio", "of the ratio", "p, Holm"),
            title=f"{result['reference']} against each, ndcg@{k}",
        )
    run = result["mlflow"]
    output.out.print(f"MLflow run {run['run_id']} {run['url']}".rstrip(), highlight=False)


def _measured(model: dict[str, Any], k: int) -> dict[str, Any]:
    metrics, memory = model["metrics"], model["peak_mb"]
    return {
        "model": model["model"],
        "ndcg": number(metrics[f"ndcg@{k}"], 4),
        "interval": ends(model["intervals"][f"ndcg@{k}"], digits=3),
        "recall": number(metrics[f"recall@{k}"], 4),
        "coverage": number(metrics[f"coverage@{k}"], 3),
        "fit s": number(model["fit_s"], 1),
        "score s": number(model["score_s"], 1),
        "MB": number(memory, 0),
    }


def _compared(versus: dict[str, Any]) -> dict[str, Any]:
    return {
        "against": versus["model"],
        "gain": number(versus["difference"][0], 4),
        "interval of it": ends(versus["difference"]),
        "ratio": number(versus["ratio"][0], 3),
        "of the ratio": ends(versus["ratio"], digits=2),
        "p, Holm": number(versus["p_holm"], 4),
    }
