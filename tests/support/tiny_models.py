"""Tiny randomly initialised models on disk, in the layout that real ones have."""

from __future__ import annotations

import json
from pathlib import Path

_WORDS = [
    "the",
    "a",
    "of",
    "and",
    "in",
    "space",
    "ship",
    "crew",
    "storm",
    "love",
    "paris",
    "baker",
    "bread",
    "secret",
    "agent",
    "king",
    "sea",
    "music",
    "robot",
    "dream",
    "city",
    "night",
    "river",
    ".",
    ",",
    "!",
    "?",
]


def save_bert(folder: Path, *, seed: int = 0, pooling: str | None = "mean_tokens") -> Path:
    """Save a BERT of 2 layers and 32 dimensions; with sentence-transformers files if pooling."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.4,  # wide, so that different texts have clearly different vectors
    )
    BertModel(config).save_pretrained(folder)
    if pooling:
        _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24})
        _write_json(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}": True})
        steps = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
        modules = [
            {"idx": number, "path": path, "type": f"sentence_transformers.models.{step}"}
            for number, (path, step) in enumerate(steps)
        ]
        _write_json(folder / "modules.json", modules)
    return folder


def save_gpt(folder: Path, *, seed: int = 0) -> Path:
    """Save a GPT-2 of 2 layers and 32 dimensions, without a padding token."""
    import torch
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(seed)
    save_tokenizer(folder, special=())
    config = GPT2Config(
        vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.4
    )
    GPT2Model(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, *, special: tuple[str, ...]) -> None:
    """Save a tokenizer of whole words; with start and end tokens when they are named."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", *special, *_WORDS]
    vocabulary = {word: number for number, word in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    named = {"unk_token": "[UNK]"}
    if special:
        start, end = special
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A {end}",
            special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])],
        )
        named |= {"pad_token": "[PAD]", "cls_token": start, "sep_token": end}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
