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


# Weights are wide, so that different texts have clearly different vectors
_SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.4,
}


def save_bert(folder: Path, *, seed: int = 0, pooling: str | None = "mean_tokens") -> Path:
    """Save a BERT of 2 layers and 32 dimensions; with sentence-transformers files if pooling."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    BertModel(BertConfig(**_SMALL, max_position_embeddings=64)).save_pretrained(folder)
    if pooling:
        save_sentence_files(folder, pooling=pooling)
    return folder


def save_sentence_files(
    folder: Path, *, pooling: str = "mean_tokens", max_tokens: int = 24, dense: int | None = None
) -> None:
    """Save the files that make a folder a sentence-transformers model.

    Args:
        folder: Holds a model already.
        pooling: What comes after ``pooling_mode_`` in the older of the two formats.
        max_tokens: Longest text.
        dense: Width of a dense step after pooling; None for none.
    """
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens})
    width = json.loads((folder / "config.json").read_text())
    width = width.get("hidden_size") or width["n_embd"]
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": width, f"pooling_mode_{pooling}": True},
    )
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if dense:
        save_dense_step(folder / "2_Dense", width, dense)
        steps.append(("2_Dense", "Dense"))
    steps.append((f"{len(steps)}_Normalize", "Normalize"))
    (folder / steps[-1][0]).mkdir(exist_ok=True)
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{step}",
        }
        for number, (path, step) in enumerate(steps)
    ]
    _write_json(folder / "modules.json", modules)


def save_dense_step(folder: Path, width: int, dense: int) -> None:
    """Save tanh(W x + b) as sentence-transformers does."""
    import torch
    from safetensors.torch import save_file

    config = {
        "in_features": width,
        "out_features": dense,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    _write_json(folder / "config.json", config)
    weights = {"linear.weight": torch.randn(dense, width), "linear.bias": torch.randn(dense)}
    save_file(weights, folder / "model.safetensors")


def save_roberta(folder: Path, *, seed: int = 0) -> Path:
    """Save a RoBERTa, whose positions begin after its padding token's id."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(seed)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = RobertaConfig(**_SMALL, pad_token_id=0, max_position_embeddings=65)
    RobertaModel(config).save_pretrained(folder)
    return folder


def save_longformer(folder: Path, *, seed: int = 0) -> Path:
    """Save a Longformer whose tokens see 8 neighbours and which reads up to 1024 tokens."""
    import torch
    from transformers import LongformerConfig, LongformerModel

    torch.manual_seed(seed)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = LongformerConfig(
        **_SMALL, pad_token_id=0, max_position_embeddings=1025, attention_window=8
    )
    LongformerModel(config).save_pretrained(folder)
    return folder


def save_big_bird(folder: Path, *, seed: int = 0) -> Path:
    """Save a BigBird of blocks of 8 tokens, sparse beyond 56 tokens, which reads up to 1024."""
    import torch
    from transformers import BigBirdConfig, BigBirdModel

    torch.manual_seed(seed)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = BigBirdConfig(
        **_SMALL, pad_token_id=0, max_position_embeddings=1024, block_size=8, num_random_blocks=1
    )
    BigBirdModel(config).save_pretrained(folder)
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
