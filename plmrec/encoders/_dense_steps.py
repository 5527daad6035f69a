"""Dense steps that a sentence-transformers folder puts between pooling and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plmrec.encoders._model_folder import ModelFolder
from plmrec.errors import BackendUnavailableError

if TYPE_CHECKING:
    import torch

_ACTIVATIONS: Final = {
    "torch.nn.modules.linear.Identity": "Identity",
    "torch.nn.modules.activation.Tanh": "Tanh",
    "torch.nn.modules.activation.ReLU": "ReLU",
    "torch.nn.modules.activation.GELU": "GELU",
}


@dataclass(frozen=True, slots=True)
class DenseStep:
    """activation(W x + b), in float32."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: torch.nn.Module

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map vectors (n, in_features) to (n, out_features)."""
        from torch.nn.functional import linear

        mapped: torch.Tensor = self.activation(linear(vectors, self.weight, self.bias))
        return mapped


def load_dense_steps(folder: ModelFolder, device: torch.device) -> list[DenseStep]:
    """Load the folder's dense steps, in order; none for most models.

    Raises:
        BackendUnavailableError: A step has no safetensors weights, or works in a way not known.
    """
    return [_load(folder, step, device) for step in folder.steps("Dense")]


def _load(folder: ModelFolder, step: str, device: torch.device) -> DenseStep:
    import torch
    from safetensors.torch import load_file

    config = folder.json(step, "config.json")
    activation = _ACTIVATIONS.get(str(config.get("activation_function")))
    reads = config.get("module_input_name", "sentence_embedding")
    if activation is None or config.get("use_residual") or reads != "sentence_embedding":
        raise BackendUnavailableError(
            f"encoder: expected a dense step with one of {sorted(_ACTIVATIONS.values())} in "
            f"{folder.path / step}, got {config}",
            hint="Use a model without this step",
        )
    weights = folder.path / step / "model.safetensors"
    if not weights.exists():
        raise BackendUnavailableError(
            f"encoder: expected {weights}, found no such file",
            hint="Only safetensors weights are read; convert others first",
        )
    tensors = {name: value.float().to(device) for name, value in load_file(weights).items()}
    return DenseStep(
        weight=tensors["linear.weight"],
        bias=tensors.get("linear.bias"),
        activation=getattr(torch.nn, activation)(),
    )
