"""Measures the encoder against sentence-transformers' default ``encode``, on the same texts."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from plmrec.backends import build_backend
from plmrec.devices import processor_features
from plmrec.encoders.transformer import TransformerEncoder
from plmrec.errors import DataContractError, ParamsError
from plmrec.model_files import LOCAL_ONLY, SAFE_WEIGHTS, quiet_transformers
from plmrec.params import Params, load_params
from plmrec.settings import Settings, load_settings
from plmrec.stages.peak_memory import peak_megabytes
from plmrec.stages.raw_files import find_raw_files
from plmrec.types import FloatMatrix

Progress: TypeAlias = Callable[[int, int, str], None]
Side: TypeAlias = Literal["default", "ours"]
Encode: TypeAlias = Callable[[Sequence[str]], FloatMatrix]

SIDES: Final[tuple[Side, Side]] = ("default", "ours")
_DEFAULT_BATCH: Final = 32  # of SentenceTransformer.encode
_WARM_UP: Final = 32  # texts encoded before the clock starts: weights are loaded, kernels chosen
VOCABULARY: Final = (
    "the a of and in to his her with from who is when after an old young must find lost family "
    "war love city ship night secret police friend mother king murder money island school team "
    "travels becomes discovers escapes falls fights returns meets tries learns mysterious famous "
    "small dangerous world home life death story summer journey doctor soldier band robot train"
)


def bench_embed(
    dataset: Path | None = None,
    *,
    n_texts: int | None = None,
    rounds: int = 3,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total, _what: None,
) -> dict[str, Any]:
    """Embed the same texts both ways in turns in one process, and compare speed and vectors.

    The default is ``SentenceTransformer(model).encode(texts)``: float32, 32 texts a batch. Ours is
    the encoder of params.yaml. Peak memory is measured in a process of its own for each side.

    Args:
        dataset: Titles with descriptions of its items; without one, made-up texts of like lengths.
        n_texts: Texts that are encoded; all of the dataset by default, 1000 made-up ones.
        rounds: Turns of both sides; odd, so that the median is one of them.
        settings: Where params.yaml is; the environment by default.
        params: Which encoder; params.yaml by default.
        progress: Told steps done, steps to do, and what comes next.

    Returns:
        ``encoder precision texts distinct tokens cores features load_before load_after rounds
        seconds cpu_s texts_per_s ratio ratio_range cpu_ratio cosine_mean cosine_min peak_mb``;
        seconds, cpu_s, texts_per_s and peak_mb by side, the first three as medians of the rounds.

    Raises:
        DataContractError: The dataset cannot be read or has no text.
        ParamsError: params.yaml names an encoder that is no transformer.
    """
    params = params or load_params((settings or load_settings()).params)
    options = _options(params)
    texts = read_texts(dataset, n_texts)
    encoder = _build(options)
    sides = {"default": _default_side(encoder), "ours": encoder.encode}
    n_steps = 2 * rounds + 2
    load_before = os.getloadavg()[0]
    for encode in sides.values():
        encode(texts[:_WARM_UP])
    vectors: dict[str, FloatMatrix] = {}
    took: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for turn in range(rounds):
        for number, side in enumerate(SIDES):
            progress(2 * turn + number, n_steps, f"{side}, round {turn + 1} of {rounds}")
            wall, cpu = time.perf_counter(), time.process_time()
            vectors[side] = sides[side](texts)
            took[side].append((time.perf_counter() - wall, time.process_time() - cpu))
    load_after = os.getloadavg()[0]
    peaks = {}
    for number, side in enumerate(SIDES):
        progress(2 * rounds + number, n_steps, f"memory of {side}")
        peaks[side] = peak_of(side, options, dataset, n_texts)
    progress(n_steps, n_steps, "done")
    return {
        "encoder": encoder.name,
        "precision": encoder.precision,
        "texts": len(texts),
        "distinct": len(set(texts)),
        "tokens": sum(encoder.count_tokens(texts)),
        "cores": len(os.sched_getaffinity(0)),
        "features": list(processor_features()),
        "load_before": round(load_before, 2),
        "load_after": round(load_after, 2),
        "rounds": rounds,
        **_speeds(took, len(texts)),
        **_cosines(vectors["ours"], vectors["default"]),
        "peak_mb": peaks,
    }


def read_texts(dataset: Path | None, n_texts: int | None) -> list[str]:
    """Title and description of each item; made-up texts without a dataset.

    Raises:
        DataContractError: The dataset cannot be read or has no text.
    """
    if dataset is None:
        return made_up_texts(n_texts or 1000)
    texts = []
    for record in find_raw_files(dataset)["items"].records():
        values = record.values or {}
        parts = [str(values[name]).strip() for name in ("title", "description") if values.get(name)]
        if parts:
            texts.append(". ".join(parts))
    if not texts:
        raise DataContractError(f"bench: expected items with a title in {dataset}, found none")
    return texts[:n_texts]


def made_up_texts(n: int, seed: int = 0) -> list[str]:
    """Texts whose lengths are like those of film plots: 35 words in the median, up to hundreds."""
    rng = np.random.default_rng(seed)
    words = VOCABULARY.split()
    lengths = np.clip(rng.lognormal(np.log(35), 0.5, n), 2, 400).astype(int)
    return [" ".join(rng.choice(words, length)) + "." for length in lengths]


def peak_of(
    side: Side, options: dict[str, Any], dataset: Path | None, n_texts: int | None
) -> float:
    """Peak memory, megabytes, of a fresh process that encodes the texts one way."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(_measure_peak, side, options, dataset, n_texts).result()


def _measure_peak(
    side: Side, options: dict[str, Any], dataset: Path | None, n_texts: int | None
) -> float:
    texts = read_texts(dataset, n_texts)
    encoder = _build(options)
    encode = encoder.encode if side == "ours" else _default_side(encoder)
    encode(texts)
    return round(peak_megabytes(), 1)


def _options(params: Params) -> dict[str, Any]:
    if params.encoder.backend != "transformer":
        raise ParamsError(
            f"bench embed: expected encoder.backend transformer, got {params.encoder.backend!r}",
            hint="Only models of the transformers library have a default to compare with",
        )
    return dict(params.encoder.options)


def _build(options: dict[str, Any]) -> TransformerEncoder:
    encoder: TransformerEncoder = build_backend("encoders", "transformer", options)
    return encoder


def _default_side(encoder: TransformerEncoder) -> Encode:
    """sentence-transformers on the same weights, as it comes, with our prefix and limit."""
    from sentence_transformers import SentenceTransformer

    quiet_transformers()
    model = SentenceTransformer(
        str(encoder.folder),
        device=str(encoder.device),
        **LOCAL_ONLY,
        model_kwargs=dict(SAFE_WEIGHTS),
    )
    model.max_seq_length = encoder.length_limit

    def encode(texts: Sequence[str]) -> FloatMatrix:
        found = model.encode(
            list(texts),
            batch_size=_DEFAULT_BATCH,
            prompt=encoder.passage_prefix,
            show_progress_bar=False,
        )
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(norms, 1e-12), dtype=np.float32)

    return encode


def _speeds(took: dict[str, list[tuple[float, float]]], n_texts: int) -> dict[str, Any]:
    """Medians of the rounds; the ratio of each round is of its own two turns."""
    pairs = list(zip(took["default"], took["ours"], strict=True))
    ratios = [default[0] / ours[0] for default, ours in pairs]
    seconds = {side: median(wall for wall, _ in took[side]) for side in SIDES}
    return {
        "seconds": {side: round(seconds[side], 3) for side in SIDES},
        "cpu_s": {side: round(median(cpu for _, cpu in took[side]), 3) for side in SIDES},
        "texts_per_s": {side: round(n_texts / seconds[side], 1) for side in SIDES},
        "ratio": round(median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "cpu_ratio": round(median(default[1] / ours[1] for default, ours in pairs), 3),
    }


def _cosines(ours: FloatMatrix, default: FloatMatrix) -> dict[str, float]:
    cosines = np.einsum("nd,nd->n", ours.astype(np.float64), default.astype(np.float64))
    return {
        "cosine_mean": round(float(cosines.mean()), 6),
        "cosine_min": round(float(cosines.min()), 6),
    }
