"""Tiny random models that can be trained: with a mask token, and sentences to learn."""

from __future__ import annotations

import json
import random
from pathlib import Path

_WORDS = """
sea: whale ocean tide salt deep blue wave swim reef current
bread: flour oven dough yeast crust knead bake rye crumb butter
chess: king queen pawn rook board endgame knight clock check mate
rails: train track signal bridge tunnel station whistle steam wagon platform
"""
TOPICS = {
    name: words.split() for name, words in (line.split(": ") for line in _WORDS.split("\n") if line)
}
TASTES = (("sea", "bread"), ("chess", "rails"))  # what the same people like; no text says so


def save_trainable_bert(folder: Path, *, seed: int = 0, with_sentence_files: bool = True) -> Path:
    """Save a BERT of 2 layers and 32 dimensions whose tokenizer knows the words of ``TOPICS``."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    n_words = _save_tokenizer(folder, special=("[CLS]", "[SEP]", "[MASK]"))
    config = BertConfig(
        vocab_size=n_words,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)
    if with_sentence_files:
        steps = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
        _write(
            folder / "modules.json",
            [
                {"idx": n, "name": str(n), "path": path,
                 "type": f"sentence_transformers.models.{step}"}
                for n, (path, step) in enumerate(steps)
            ],
        )  # fmt: skip
        _write(
            folder / "1_Pooling" / "config.json",
            {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        )
        _write(folder / "sentence_bert_config.json", {"max_seq_length": 32})
    return folder


def save_trainable_gpt(folder: Path, *, seed: int = 0) -> Path:
    """Save a GPT-2 of 2 layers and 32 dimensions with the same words and an end token."""
    import torch
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(seed)
    n_words = _save_tokenizer(folder, special=("[EOS]",))
    config = GPT2Config(
        vocab_size=n_words, n_embd=32, n_layer=2, n_head=4, n_positions=64,
        bos_token_id=2, eos_token_id=2,
    )  # fmt: skip
    GPT2Model(config).save_pretrained(folder)
    return folder


def sentences(n: int, *, seed: int = 0) -> list[str]:
    """Sentences of ten words of one topic each, in the order of the topic's words."""
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        words = rng.choice(list(TOPICS.values()))
        start = rng.randrange(len(words))
        found.append(" ".join(words[(start + step) % len(words)] for step in range(10)))
    return found


def write_tastes_dataset(folder: Path, *, n_items: int = 32, n_users: int = 120) -> Path:
    """Write a dataset of four topics; each user likes items of the two topics of a taste.

    Half of the users like both by turns in January. The others like one in January and the other,
    which no text of theirs tells of, in February.
    """
    rng, names = random.Random(5), list(TOPICS)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "items.jsonl").open("w") as file:
        for number in range(n_items):
            words = rng.choices(TOPICS[names[number % 4]], k=14)
            item = {"item_id": f"i{number:02d}", "kind": "video", "title": " ".join(words[:4]),
                    "description": " ".join(words[4:])}  # fmt: skip
            file.write(json.dumps(item) + "\n")
    with (folder / "interactions.csv").open("w") as file:
        file.write("user_id,item_id,event,value,timestamp\n")
        for user in range(n_users):
            first, second = rng.sample(TASTES[user % 2], k=2)
            is_late = user % 4 > 1
            liked = [(first, 6), (second, 4)]
            chosen = [
                number
                for topic, n in liked
                for number in rng.sample(range(names.index(topic), n_items, 4), k=n)
            ]
            if not is_late:
                rng.shuffle(chosen)
            for step, number in enumerate(chosen):
                month = 2 if is_late and step >= 6 else 1
                time = f"2026-{month:02d}-{step * 2 + 1:02d}T{user % 24:02d}:{user % 60:02d}:00Z"
                file.write(f"u{user},i{number:02d},rating,5,{time}\n")
    return folder


def _save_tokenizer(folder: Path, *, special: tuple[str, ...]) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [word for topic in TOPICS.values() for word in topic]
    names = ["[PAD]", "[UNK]", *special, *words, *TOPICS, ".", ",", "by", "the"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    named = {"unk_token": "[UNK]"}
    if len(special) == 3:
        start, end, mask = special
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A {end}",
            special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])],
        )
        named |= {"pad_token": "[PAD]", "cls_token": start, "sep_token": end, "mask_token": mask}
    else:
        named |= {"eos_token": special[0]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return len(vocabulary)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
