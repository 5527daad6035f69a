"""Tiny random models that can be trained: with a mask token, and sentences to learn."""

from __future__ import annotations

import json
import random
from pathlib import Path

TOPICS = {
    "sea": "whale ocean tide salt deep blue wave swim reef current".split(),
    "bread": "flour oven dough yeast crust knead bake rye crumb butter".split(),
    "chess": "king queen pawn rook board endgame knight clock check mate".split(),
}


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
