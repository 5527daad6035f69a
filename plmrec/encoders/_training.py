"""What trainings of an encoder share: where they start, where they go on, what they leave.

They leave a folder like the one they started from: safetensors weights, the same tokenizer, and
sentence-transformers files that say how its tokens are pooled.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from plmrec.devices import choose_device
from plmrec.encoders._model_folder import POOLING_MODES, ModelFolder, find_model
from plmrec.encoders._pooling import Pooling
from plmrec.errors import BackendUnavailableError, ParamsError
from plmrec.model_files import load_part, quiet_transformers
from plmrec.params import AdaptationParams, PretrainingParams

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from plmrec.encoders.transformer import Options

Progress: TypeAlias = Callable[[int, int], None]  # told steps done and steps to do

_WEIGHTS: Final = ("config.json", "*.safetensors", "*.safetensors.index.json", "generation_config*")
_KEPT: Final = ("*.json", "*.txt", "*.model", "*.jinja")
_STEP: Final = "[0-9]*_*"  # folders of the steps after the model, such as 1_Pooling
_MODULES: Final = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An encoder to train further.

    Attributes:
        folder: Its files.
        pooling: How its vectors come from its tokens.
        is_decoder: Whether it only ever looks back, as GPT does.
        max_tokens: Longest text with special tokens, as it is used for encoding.
        passage_prefix: What is put before passages.
    """

    folder: ModelFolder
    pooling: Pooling
    is_decoder: bool
    max_tokens: int
    passage_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: Times every text is seen; parts of one are allowed.
        max_steps: Most steps in all; None for no limit.
        batch_size: Texts, or pairs, a step.
        learning_rate: Highest; it rises over the first steps and falls to 0 over the rest.
        warmup_share: Share of the steps over which it rises.
        seed: Of every random choice.
    """

    epochs: float
    max_steps: int | None
    batch_size: int
    learning_rate: float
    warmup_share: float
    seed: int

    @classmethod
    def of(cls, params: PretrainingParams | AdaptationParams, *, seed: int) -> Schedule:
        """The schedule that a section of params.yaml asks for."""
        return cls(
            epochs=params.epochs,
            max_steps=params.max_steps,
            batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            warmup_share=params.warmup_share,
            seed=seed,
        )

    def n_steps(self, n_rows: int) -> int:
        """Steps for so many rows; at least one."""
        whole = max(round(self.epochs * n_rows / self.batch_size), 1)
        return whole if self.max_steps is None else min(whole, self.max_steps)


def open_source(options: Options) -> Source:
    """Find the encoder that a training starts from.

    Raises:
        BackendUnavailableError: There is no such model, or transformers does not know it.
    """
    folder = find_model(options.model, options.revision)
    try:
        load_part("AutoConfig", folder.path)
    except (OSError, ValueError) as err:
        raise BackendUnavailableError(
            f"encoder: cannot read {folder.path}: {err}",
            hint="Name a model that transformers knows without remote code",
        ) from err
    decoder = folder.is_decoder
    declared = folder.declared_pooling() if options.pooling == "auto" else options.pooling
    prefix = options.passage_prefix
    return Source(
        folder=folder,
        pooling=declared or ("last" if decoder else "mean"),
        is_decoder=decoder,
        max_tokens=options.max_tokens or folder.max_length,
        passage_prefix=folder.prompt("document", "passage") if prefix is None else prefix,
    )


def load_tokenizer(source: Source) -> Any:
    """Load the tokenizer; one without a padding token pads with its end or unknown token."""
    tokenizer = load_part("AutoTokenizer", source.folder.path)
    tokenizer.padding_side = "right"
    tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise BackendUnavailableError(
            f"encoder: expected a padding, end or unknown token in the tokenizer of "
            f"{source.folder.path}, found none",
            hint="Name a model whose tokenizer has one",
        )
    return tokenizer


def arguments(schedule: Schedule, *, n_rows: int, folder: Path) -> dict[str, Any]:
    """Arguments of a trainer of transformers or sentence-transformers.

    Args:
        schedule: How long and how fast.
        n_rows: Texts or pairs to learn from.
        folder: For checkpoints, ten in the course of a training, of which the last is kept.
    """
    n_steps = schedule.n_steps(n_rows)
    return {
        "output_dir": str(folder),
        "max_steps": n_steps,
        "per_device_train_batch_size": schedule.batch_size,
        "learning_rate": schedule.learning_rate,
        "warmup_steps": int(n_steps * schedule.warmup_share),
        "weight_decay": 0.01,
        "seed": schedule.seed,
        "data_seed": schedule.seed,
        "save_strategy": "steps",
        "save_steps": max(n_steps // 10, 1),
        "save_total_limit": 1,
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": choose_device("auto") == "cpu",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
    }


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written whole; None without one.

    Others are removed: a process that is killed while it writes one leaves half of it.
    """
    whole: list[tuple[int, Path]] = []
    for found in folder.glob("checkpoint-*"):
        if (found / "trainer_state.json").exists():  # written last
            whole.append((int(found.name.rsplit("-", 1)[1]), found))
        else:
            shutil.rmtree(found)
    return str(max(whole)[1]) if whole else None


def telling(progress: Progress) -> TrainerCallback:
    """A callback that tells steps done and to do."""
    from transformers import TrainerCallback

    class Telling(TrainerCallback):  # type: ignore[misc]  # transformers has no types
        """Tells the progress of a training."""

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            """Told the step a training begins or goes on with."""
            progress(state.global_step, state.max_steps)

        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            """Told after every step."""
            progress(state.global_step, state.max_steps)

    return Telling()


def quiet() -> None:
    """Keep the libraries' bars and notes off the screen; ours are enough."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_transformers()


def silence(trainer: Any) -> None:
    """Keep a trainer from printing its figures on stdout, which is for the command's result."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def save_encoder(source: Source, body: Any, target: Path, about: dict[str, Any]) -> None:
    """Write a trained encoder as a folder, whole or not at all.

    Args:
        source: What it was trained from; tokenizer and sentence-transformers files are its own.
        body: The model without any head, in float32.
        target: The new folder.
        about: Where it comes from; kept in ``plmrec.json``.

    Raises:
        ParamsError: The folder is there.
    """
    if target.exists():
        raise ParamsError(f"encoder: expected no folder {target}, found one")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    body.save_pretrained(str(temporary))
    _copy_side_files(source.folder.path, temporary)
    if not source.folder.is_sentence_model:
        _write_sentence_files(source, temporary)
    _write_json(temporary / "plmrec.json", about)
    temporary.replace(target)


def _copy_side_files(origin: Path, target: Path) -> None:
    """Copy all that is not the model itself: tokenizer and sentence-transformers files."""
    for pattern in _KEPT:
        for file in origin.glob(pattern):
            if not any(file.match(weights) for weights in _WEIGHTS):
                shutil.copyfile(file, target / file.name)
    for step in origin.glob(_STEP):
        for name in ("config.json", "model.safetensors"):
            if (step / name).is_file():
                (target / step.name).mkdir(exist_ok=True)
                shutil.copyfile(step / name, target / step.name / name)


def _write_sentence_files(source: Source, target: Path) -> None:
    kind = "sentence_transformers.models."
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": kind + step}
        for number, (path, step) in enumerate(_MODULES)
    ]
    width = source.folder.dim
    _write_json(target / "modules.json", modules)
    (target / "1_Pooling").mkdir(exist_ok=True)
    _write_json(
        target / "1_Pooling" / "config.json",
        {"embedding_dimension": width, "pooling_mode": POOLING_MODES[source.pooling]},
    )
    _write_json(target / "sentence_bert_config.json", {"max_seq_length": source.max_tokens})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
