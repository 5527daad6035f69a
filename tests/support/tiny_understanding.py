"""Tiny randomly initialised models that classify and write, in the layout that real ones have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.tiny_models import save_tokenizer


def save_classifier(folder: Path, labels: Sequence[str]) -> Path:
    """Save a BERT that gives each text one of some labels."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.4,
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def save_t5(folder: Path) -> Path:
    """Save a T5 that writes."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    save_tokenizer(folder, special=("[CLS]", "[SEP]"))
    config = T5Config(
        vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=3,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder
