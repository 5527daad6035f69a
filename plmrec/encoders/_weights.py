"""Load a transformer's weights, all of them or none."""

from __future__ import annotations

from typing import Any

from plmrec.encoders._model_folder import ModelFolder
from plmrec.errors import BackendUnavailableError


def load_weights(folder: ModelFolder, name: str, dtype: Any = None) -> Any:
    """Load a model; a weight that is missing from its files is an error, not a guess.

    Args:
        folder: Where its files are.
        name: Of the encoder, for messages.
        dtype: The torch.dtype to keep the weights in; float32 by default.

    Raises:
        BackendUnavailableError: transformers does not know the model, or weights are missing.
    """
    import torch
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        model, info = AutoModel.from_pretrained(
            str(folder.path),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=dtype or torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError) as err:
        raise BackendUnavailableError(
            f"encoder {name}: cannot load {folder.path}: {err}",
            hint="Name a model that transformers knows without remote code",
        ) from err
    missing = sorted(key for key in info["missing_keys"] if "pooler." not in key)  # pooler: unused
    if missing or info["mismatched_keys"]:
        raise BackendUnavailableError(
            f"encoder {name}: expected all weights in {folder.path}, missing {missing[:5]}",
            hint="Download the model again",
        )
    return model


def is_decoder(kind: str) -> bool:
    """True for kinds of models that only ever look back, such as gpt2, llama and qwen3."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    return (
        kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
