"""``plmrec bench``: how well and how fast a backend works, on data with known answers."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plmrec.cli import output
from plmrec.cli.main import app

bench = typer.Typer(no_args_is_help=True, help="Measure backends on data with known answers.")
app.add_typer(bench, name="bench")

_COLUMNS: Final = ("file", "wer", "cer", "words", "errors", "media_s", "seconds", "rtf")


_EMBED: Final = (
    "side", "texts/s", "seconds", "cpu s", "peak MB", "cosine mean", "cosine min",
)  # fmt: skip
_LEVEL: Final = 0.05  # p-values below are beyond chance

_QUALITY: Final = (
    "model", "ndcg", "interval", "recall", "coverage", "fit s", "score s", "MB",
)  # fmt: skip


@bench.callback()
def _family() -> None:
    """Measure backends on data with known answers."""


@bench.command()
def speech(
    refs: Annotated[
        Path,
        typer.Option(
            help="Tab-separated: file (relative to this table), text, and whatever else.",
            exists=True,
            dir_okay=False,
        ),
    ],
    compare: Annotated[
        bool,
        typer.Option(
            "--compare/--no-compare", help="Let the bare backend hear the same files, in turns."
        ),
    ] = True,
    shards: Annotated[
        int,
        typer.Option(
            min=0, help="Also run so many shards at once, against one after the other; 0: do not."
        ),
    ] = 0,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Keep the result as a version of the registered model plmrec-speech."
        ),
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Transcribe recordings whose words are known: error rates, speed, the cost of the pipeline."""
    from plmrec.app.bench_shards import bench_shards
    from plmrec.app.bench_speech import bench_speech
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    stores = needed(load_settings()) if record else nullcontext()
    with stores, output.progress_bar() as bar:
        task = bar.add_task("bench speech", total=None)
        result = bench_speech(
            refs,
            compare=compare,
            keep=record,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        if shards:
            bar.update(task, description="shards", total=None)
            result["shards"] = bench_shards(refs, n_shards=shards)
    if as_json:
        output.print_json(result)
    else:
        _print_speech(result, refs)


def _print_speech(result: dict[str, Any], refs: Path) -> None:
    """A table of the files, and a line for each comparison."""
    rows = [*result["files"], {"file": "total", **result["total"]}]
    if "bare" in result:
        rows.append({"file": "bare backend", **result["bare"]})
    title = f"{result['recogniser']} {result['detector']}".rstrip()
    output.print_table(rows, _COLUMNS, title=f"{title}, {refs}")
    lines = []
    if result.get("overhead") is not None:
        lines.append(
            f"The pipeline takes {result['overhead']:+.1%} of the time of the bare backend."
        )
    if "shards" in result:
        found = result["shards"]
        lines.append(
            f"{found['n_shards']} shards at once: {found['at_once_s']:.1f} s, one after the other: "
            f"{found['in_turn_s']:.1f} s, {found['speed_up']:.2f} times as fast "
            f"(load before: {found['load']:.2f})."
        )
    if "record" in result:
        lines.append(f"Recorded as version {result['record']['version']} of plmrec-speech.")
    for line in lines:
        output.out.print(line, highlight=False)


@bench.command()
def quality(
    *,
    dataset: Annotated[
        Path,
        typer.Option(
            help="Folder that follows the dataset contract.", exists=True, file_okay=False
        ),
    ],
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


@bench.command()
def pooling(
    *,
    dataset: Annotated[
        Path,
        typer.Option(
            help="Folder that follows the dataset contract.", exists=True, file_okay=False
        ),
    ],
    as_json: output.JsonOption = False,
) -> None:
    """Compare the ways to pool an item's passages: likes and texts found by their vectors."""
    from plmrec.app.bench_pooling import bench_pooling

    with output.progress_bar() as bar:
        task = bar.add_task("bench pooling", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total or None, description=what)

        result = bench_pooling(str(dataset), progress=tell)
    if as_json:
        output.print_json(result)
        return
    measures = list(result["poolings"][0]["measures"])
    rows = [
        {"pooling": each["pooling"], **{name: _against(each, name) for name in measures}}
        for each in result["poolings"]
    ]
    title = f"{result['dataset']}, {result['encoder']}, {result['items']} items, k {result['k']}"
    output.print_table(rows, ["pooling", *measures], title=title)
    counts = {name: each["n"] for name, each in result["poolings"][0]["measures"].items()}
    output.out.print(
        f"Judged by: {', '.join(f'{name} {n}' for name, n in counts.items())}. * differs from "
        "parts beyond chance (p < 0.05, Holm)",
        highlight=False,
    )


def _against(pooling: dict[str, Any], measure: str) -> str:
    """Mean of a measure, with a star where it differs from that of ``parts`` beyond chance."""
    p_value = pooling["against_parts"][measure]["p_value"]
    star = "*" if p_value is not None and p_value < _LEVEL else ""
    return f"{pooling['measures'][measure]['mean']:.4f}{star}"


@bench.command()
def embed(
    *,
    dataset: Annotated[
        Path | None,
        typer.Option(
            help="Folder that follows the dataset contract: titles and descriptions are embedded; "
            "without one, made-up texts.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    texts: Annotated[
        int | None,
        typer.Option(min=1, help="Texts to embed; all of the dataset, or 1000 made-up ones."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each side.")] = 3,
    report: Annotated[
        Path | None, typer.Option("--output", help="Also write the result there, as JSON.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Embed texts with sentence-transformers' defaults and with ours: speed, likeness, memory."""
    from plmrec.app.bench_embed import bench_embed as run

    with output.progress_bar() as bar:
        task = bar.add_task("bench embed", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        result = run(dataset, n_texts=texts, rounds=rounds, progress=tell)
    if report:
        output.write_json(report, result)
    if as_json:
        output.print_json(result)
    else:
        _print_embed(result)


def _print_embed(result: dict[str, Any]) -> None:
    """A row for each side, and lines for the comparison and the machine."""
    likeness = {"cosine mean": result["cosine_mean"], "cosine min": result["cosine_min"]}
    rows = [
        {
            "side": name,
            "texts/s": result["texts_per_s"][side],
            "seconds": result["seconds"][side],
            "cpu s": result["cpu_s"][side],
            "peak MB": result["peak_mb"][side],
            **(likeness if side == "ours" else {}),
        }
        for side, name in (
            ("default", "default, float32"),
            ("ours", f"ours, {result['precision']}"),
        )
    ]
    title = f"{result['encoder']}, {result['texts']} texts, {result['tokens']} tokens"
    output.print_table(rows, _EMBED, title=title)
    low, high = result["ratio_range"]
    output.out.print(
        f"ratio {result['ratio']:.2f} (median of {result['rounds']} rounds, {low:.2f} to "
        f"{high:.2f}); by processor time {result['cpu_ratio']:.2f}",
        highlight=False,
    )
    output.out.print(
        f"{result['cores']} cores, {' '.join(result['features']) or 'features unknown'}; load "
        f"{result['load_before']} before, {result['load_after']} after",
        highlight=False,
    )


def _print_quality(result: dict[str, Any]) -> None:
    """Tables of the models and of the comparisons, and a line for each that was left out."""
    k = result["k"]
    rows = [
        _measured(model, k)
        for model in result["models"]
        if model["status"] == "ok" and model["family"] != "ablation"
    ]
    title = f"{result['dataset']}, protocol {result['protocol']}, {result['judged']} users, k {k}"
    output.print_table(rows, _QUALITY, title=title)
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
        "ndcg": _number(metrics[f"ndcg@{k}"], 4),
        "interval": _between(model["intervals"][f"ndcg@{k}"], digits=3),
        "recall": _number(metrics[f"recall@{k}"], 4),
        "coverage": _number(metrics[f"coverage@{k}"], 3),
        "fit s": _number(model["fit_s"], 1),
        "score s": _number(model["score_s"], 1),
        "MB": _number(memory, 0),
    }


def _compared(versus: dict[str, Any]) -> dict[str, Any]:
    return {
        "against": versus["model"],
        "gain": _number(versus["difference"][0], 4),
        "interval of it": _between(versus["difference"]),
        "ratio": _number(versus["ratio"][0], 3),
        "of the ratio": _between(versus["ratio"], digits=2),
        "p, Holm": _number(versus["p_holm"], 4),
    }


def _between(interval: list[float | None], digits: int = 4) -> str:
    """Both ends of an interval."""
    return " to ".join(_number(end, digits) or "-" for end in interval[1:])


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
