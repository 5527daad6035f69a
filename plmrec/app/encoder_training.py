"""What all trainings of an encoder do: train once, measure, register, say if to adopt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from plmrec.app.context import Context
from plmrec.app.embed import load_encoder
from plmrec.app.encoder_registry import register_version
from plmrec.app.encoder_worth import evaluate_versions
from plmrec.app.encoders import ABOUT, FOLDER, NewVersion, make_version, with_encoder
from plmrec.app.shards import Progress
from plmrec.backends import load_backend
from plmrec.digests import digest_json
from plmrec.errors import GateError, ParamsError
from plmrec.stages.encoder_evaluation import Change, Yardstick, is_better
from plmrec.stores.tables import documents_table

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from plmrec.encoders.transformer import Options

EVALUATION: Final = "evaluation.json"  # in the folder of a version: what it is worth

# Trains, with a folder for what a killed training goes on from; returns the trained body and what
# to tell of the training.
Learn: TypeAlias = "Callable[[Path], tuple[PreTrainedModel, dict[str, Any]]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of an encoder.

    Attributes:
        made_by: Name of the stage.
        options: Of the encoder to start from; see ``trainable``.
        digest: Of all that the training depends on; see ``training_digest``.
        learn: Does it.
    """

    made_by: str
    options: Options
    digest: str
    learn: Learn


def train_encoder(
    context: Context,
    training: Training,
    yardstick: Yardstick,
    *,
    require_gain: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Train a new version of the encoder unless that was done before, measure it, register it.

    Args:
        context: With the encoder to start from.
        training: What to do.
        yardstick: What both encoders are measured by.
        require_gain: Refuse a version that is not better, after all is written.
        progress: Told shards embedded with the new version and to embed.

    Returns:
        ``made_by digest encoder folder fingerprint base_fingerprint is_new adopted changes params
        mlflow`` and what the training told; ``params`` is the section for params.yaml.

    Raises:
        GateError: ``require_gain``, and the version is not better.
        ServiceUnavailableError: MLflow does not answer.
    """
    work = context.workspace.local("state", training.made_by, training.digest)

    def train(folder: Path) -> None:
        from plmrec.encoders._training import open_source, save_encoder

        body, told = training.learn(work)
        about = {"made_by": training.made_by, "digest": training.digest, **told}
        save_encoder(open_source(training.options), body, folder, about)

    version = make_version(context, training.digest, train)
    shutil.rmtree(work, ignore_errors=True)
    changes = evaluate_versions(context, version, yardstick, progress)
    return _finish(context, version, changes, require_gain=require_gain)


def trainable(context: Context) -> Options:
    """Options of the encoder of params.yaml, if it is of a kind that can be trained.

    Raises:
        ParamsError: It is not, or its options are not valid, or the workspace is remote.
    """
    if context.params.encoder.backend != "transformer":
        raise ParamsError(
            "encoder: expected encoder.backend transformer, which can be trained, got "
            f"{context.params.encoder.backend!r}",
            hint="Name a model in encoder.options.model",
        )
    context.workspace.local(FOLDER)  # raises where there is no such place
    load_encoder(context)  # raises where an option is not valid
    options: Options = load_backend("encoders", "transformer").Options.model_validate(
        context.params.encoder.options
    )
    return options


def read_texts(context: Context) -> Iterator[tuple[str, str]]:
    """Item id and document of every item, personal data masked as documents are.

    Raises:
        MissingStageError: No documents are there.
    """
    table = documents_table(context.workspace, context.params.shards)
    if not any(table.exists(shard) for shard in table.shards):
        table.read_all(["item_id"])  # raises MissingStageError
    for row in table.rows(["item_id", "text"]):
        yield row["item_id"], row["text"]


def training_digest(context: Context, kind: str, *more: Any) -> str:
    """Identity of a training: the encoder it starts from, its parameters, and what it reads.

    Args:
        context: With the encoder in its parameters.
        kind: ``pretraining`` or ``adaptation``, the section of its parameters.
        more: JSON values.
    """
    section = context.params.model_dump(mode="json", include={"seed", kind})
    documents = documents_table(context.workspace, context.params.shards).digest()
    return digest_json([kind, load_encoder(context).fingerprint, section, documents, *more])


def _finish(
    context: Context, version: NewVersion, changes: Sequence[Change], *, require_gain: bool
) -> dict[str, Any]:
    """Write what a version is worth beside it, register it, and say if to adopt it."""
    encoder = load_encoder(with_encoder(context, version.encoder))
    result = {
        **context.workspace.read_json(FOLDER, version.folder.name, ABOUT),
        "encoder": encoder.name,
        "folder": str(version.folder),
        "fingerprint": encoder.fingerprint,
        "base_fingerprint": load_encoder(context).fingerprint,
        "is_new": version.is_new,
        "adopted": is_better(changes),
        "changes": [each.as_dict() for each in changes],
        "params": {"encoder": version.encoder.model_dump(mode="json")},
    }
    place = (FOLDER, version.folder.name, EVALUATION)
    context.workspace.write_json({k: v for k, v in result.items() if k != "is_new"}, *place)
    result["mlflow"] = register_version(context, result)
    if require_gain and not result["adopted"]:
        raise GateError(
            f"{result['made_by']}: expected encoder {encoder.name} to find more likes and to lose "
            f"nothing, got {'; '.join(_say(each) for each in changes)}",
            hint=f"It stays in {version.folder}; keep `encoder` in params.yaml as it is",
        )
    return result


def _say(change: Change) -> str:
    return f"{change.measure} {change.before:.4f} to {change.after:.4f}"
