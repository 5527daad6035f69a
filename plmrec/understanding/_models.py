"""Models of the transformers library: any local folder or hub name, safetensors only."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from plmrec.devices import choose_device
from plmrec.digests import digest_json
from plmrec.model_files import (
    TRANSFORMERS_FILES,
    file_hashes,
    find_folder,
    load_part,
    load_weights,
)
from plmrec.params import Section

_IDENTITY: Final = (*TRANSFORMERS_FILES, "generation_config.json", "*.model")


class ModelOptions(Section):
    """Which model, and where it runs."""

    model: str = Field(min_length=1, description="a local folder or a hub name")
    revision: str | None = Field(
        default=None, description="of a hub name: a commit, so that it cannot move"
    )
    batch_size: int = Field(default=16, ge=1, description="texts of a forward pass")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")


class Model:
    """A model's folder, its tokenizer and its weights, loaded when they are first needed."""

    def __init__(self, options: ModelOptions, task: str) -> None:
        self.options = options
        self._task = task

    @cached_property
    def folder(self) -> Path:
        """Where its files are.

        Raises:
            BackendUnavailableError: There is no such model, or it has no safetensors weights.
        """
        options = self.options
        return find_folder("understanding", options.model, options.revision, patterns=_IDENTITY)

    @cached_property
    def made_by(self) -> str:
        """Name of the model, and digest of its files."""
        files = digest_json(file_hashes(self.folder, _IDENTITY))
        return f"{Path(self.options.model).name or 'model'} {files[:12]}"

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return load_part("AutoTokenizer", self.folder)

    @cached_property
    def weights(self) -> Any:
        """The model itself, ready to answer.

        Raises:
            BackendUnavailableError: It is of another kind, or weights are missing.
        """
        model, _ = load_weights(
            self._task, self.folder, who="understanding", hint="Name a model of this kind"
        )
        return model.to(self.device).eval()

    @cached_property
    def device(self) -> str:
        """Where it runs."""
        return choose_device(self.options.device)

    @cached_property
    def max_tokens(self) -> int:
        """Longest text it reads, tokens with special ones."""
        config = self.weights.config
        limits = [int(self.tokenizer.model_max_length)]
        for name in ("max_position_embeddings", "n_positions"):
            if getattr(config, name, None):
                limits.append(int(getattr(config, name)))
        return min(*limits, 1024)

    def class_probabilities(self, texts: list[str]) -> Any:
        """Probability of each class of a classifier for each text, float32 (n, n_classes)."""
        import numpy as np
        import torch

        rows = []
        for start in range(0, len(texts), self.options.batch_size):
            batch = self.tokenizer(
                texts[start : start + self.options.batch_size],
                truncation=True,
                max_length=self.max_tokens,
                padding=True,
                return_tensors="pt",
            ).to(self.device)
            with torch.inference_mode():
                rows.append(self.weights(**batch).logits.softmax(-1).float().cpu().numpy())
        return np.concatenate(rows)

    def generate(self, texts: list[str], *, prefix: str, max_new_tokens: int) -> list[str]:
        """What a sequence-to-sequence model answers to each text, greedily."""
        import torch

        answers: list[str] = []
        for start in range(0, len(texts), self.options.batch_size):
            some = [prefix + text for text in texts[start : start + self.options.batch_size]]
            batch = self.tokenizer(
                some,
                truncation=True,
                max_length=self.max_tokens,
                padding=True,
                return_tensors="pt",
                return_token_type_ids=False,
            ).to(self.device)
            with torch.inference_mode():
                tokens = self.weights.generate(
                    **batch, max_new_tokens=max_new_tokens, do_sample=False, num_beams=1
                )
            answers += self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(answer.split()) for answer in answers]
