"""New versions of an encoder: where they are kept, what they are worth, how they are registered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import plmrec
from plmrec.app.comments import comment_judge
from plmrec.app.context import Context
from plmrec.app.embed import embed_shard, load_encoder, pending_shards
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, open_registry
from plmrec.app.shards import Progress, no_progress
from plmrec.app.training_data import load_catalogue
from plmrec.backends import load_backend
from plmrec.digests import digest_json
from plmrec.encoders.base import Encoder
from plmrec.errors import GateError, ParamsError
from plmrec.params import EncoderParams, Params
from plmrec.releases.life import ENCODER_MODEL
from plmrec.stages.encoder_evaluation import (
    RETRIEVAL,
    Change,
    PerUser,
    Yardstick,
    compare_encoders,
    is_better,
    judge_retrieval,
    judge_vectors,
    make_yardstick,
)
from plmrec.stages.training_data import load_training_data
from plmrec.stores.tables import (
    documents_table,
    interactions_table,
    items_table,
    passages_table,
)

if TYPE_CHECKING:
    from plmrec.encoders.transformer import Options

FOLDER: Final = "encoders"  # of the workspace, with a folder per version
ABOUT: Final = "plmrec.json"  # in such a folder: where it comes from
EVALUATION: Final = "evaluation.json"  # in such a folder: what it is worth
EXPERIMENT: Final = "plmrec-encoder"
_VERSION: Final = re.compile(r"-v\d+$")
_MAX_QUERIES: Final = 300  # items whose description is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A trained encoder, and how to name it in params.yaml.

    Attributes:
        folder: Its files.
        encoder: The section ``encoder`` of params.yaml that uses it.
        is_new: False where the same training had been done before.
    """

    folder: Path
    encoder: EncoderParams
    is_new: bool


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


def make_version(context: Context, digest: str, train: Callable[[Path], None]) -> NewVersion:
    """Train an encoder into a new folder of the workspace, unless that was done before.

    Args:
        context: Whose workspace, and the encoder to start from.
        digest: Of all that the training depends on.
        train: Trains, and writes the folder it is given; it does not exist yet.
    """
    root = context.workspace.local(FOLDER)
    known = next((each for each in versions(context) if each[1].get("digest") == digest), None)
    if known is not None:
        folder = known[0]
    else:
        base = _VERSION.sub("", Path(load_encoder(context).name).name)
        taken = {each.name for each in root.glob("*")}
        folder = root / next(f"{base}-v{n}" for n in range(1, 10**6) if f"{base}-v{n}" not in taken)
        train(folder)
    options = {**context.params.encoder.options, "model": str(folder)}
    options.pop("revision", None)
    return NewVersion(
        folder=folder,
        encoder=context.params.encoder.model_copy(update={"options": options}),
        is_new=known is None,
    )


def versions(context: Context) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders of encoders that were trained in this workspace, and where each comes from."""
    if not context.workspace.is_local:
        return
    for name in context.workspace.list(FOLDER):
        if not name.startswith(".") and context.workspace.exists(FOLDER, name, ABOUT):
            about = context.workspace.read_json(FOLDER, name, ABOUT)
            yield context.workspace.local(FOLDER, name), about


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


def with_encoder(params: Params, encoder: EncoderParams) -> Params:
    """The same parameters with another encoder."""
    return params.model_copy(update={"encoder": encoder})


def with_params(context: Context, params: Params) -> Context:
    """The same workspace with other parameters."""
    return Context(settings=context.settings, params=params, workspace=context.workspace)


def embed_beside(context: Context, progress: Progress = no_progress) -> Encoder:
    """Bring the vectors of an encoder up to date, without making the chain go on with them.

    Each shard is written whole, so a run that is killed goes on with the next shard.

    Args:
        context: With the encoder in its parameters.
        progress: Told shards done and to do.

    Returns:
        The encoder.

    Raises:
        MissingStageError: Items or transcripts are not there.
    """
    where: dict[str, Any] = {"settings": context.settings, "params": context.params}
    pending = pending_shards(**where)
    progress(0, len(pending))
    for done, shard in enumerate(pending, start=1):
        embed_shard(shard, **where)
        progress(done, len(pending))
    return load_encoder(context)


def open_yardstick(context: Context) -> Yardstick:
    """What encoders of this workspace are measured by; reads no vectors.

    Raises:
        MissingStageError: The dataset is not there.
        DataContractError: Nobody can be judged.
    """
    n_shards = context.params.shards
    data = load_training_data(
        items=items_table(context.workspace, n_shards),
        interactions=interactions_table(context.workspace, n_shards),
        vectors=None,
        feedback=context.params.feedback,
        feel=comment_judge(context),
    )
    return make_yardstick(data, context.params)


def evaluate_versions(
    context: Context,
    version: NewVersion,
    yardstick: Yardstick,
    progress: Progress = no_progress,
) -> list[Change]:
    """Compare the encoder of params.yaml with a new version of it, on the platform's own data.

    Args:
        context: With the encoder that is there.
        version: The other.
        yardstick: From ``open_yardstick``.
        progress: Told shards embedded and to embed.
    """
    after = with_params(context, with_encoder(context.params, version.encoder))
    before_values = _measure(context, embed_beside(context), yardstick)
    after_values = _measure(after, embed_beside(after, progress), yardstick)
    return compare_encoders(before_values, after_values, context.params)


def finish_version(
    context: Context,
    version: NewVersion,
    changes: Sequence[Change],
    about: dict[str, Any],
    require_gain: bool,
) -> dict[str, Any]:
    """Write what a version is worth beside it, register it in MLflow, and say if to adopt it.

    Args:
        context: Whose workspace.
        version: The trained encoder.
        changes: Against the encoder it comes from.
        about: More to keep and to tell: ``made_by`` and whatever the training measured.
        require_gain: Refuse a version that is not better, after all this is written.

    Returns:
        ``encoder folder fingerprint base_fingerprint is_new adopted changes params mlflow`` and
        what is in ``about``; ``params`` is the section for params.yaml.

    Raises:
        GateError: ``require_gain``, and the version is not better.
        ServiceUnavailableError: MLflow does not answer.
    """
    encoder = load_encoder(with_params(context, with_encoder(context.params, version.encoder)))
    result = {
        **about,
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
            f"{about['made_by']}: expected encoder {encoder.name} to find more likes and to lose "
            f"nothing, got {'; '.join(_say(each) for each in changes)}",
            hint=f"It stays in {version.folder}; keep `encoder` in params.yaml as it is",
        )
    return result


def register_version(context: Context, result: dict[str, Any]) -> dict[str, Any]:
    """Register a trained encoder as a version of ``plmrec-encoder``, once per fingerprint.

    Its evaluation becomes tags of the version and metrics of its run; its weights stay in the
    workspace.

    Returns:
        ``version`` and ``run_id``.
    """
    from plmrec.app.context import tracking_uri
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    registry = open_registry(context, ENCODER_MODEL)
    registry.ensure("Encoders whose vectors releases were trained on; one version each.")
    measured = {
        f"{each['measure']} {side}".replace(" ", "_"): each[side]
        for each in result["changes"]
        for side in ("before", "after", "difference", "low", "high")
        if each[side] is not None
    }
    tags = {
        "fingerprint": result["fingerprint"],
        "name": result["encoder"],
        "made_by": result["made_by"],
        "base_fingerprint": result["base_fingerprint"],
        "folder": result["folder"],
        "settings": json.dumps(result["params"]["encoder"], sort_keys=True),
        "adopted": "yes" if result["adopted"] else "no",
        **{f"evaluation.{name}": f"{value:.6g}" for name, value in measured.items()},
    }
    for number, known in registry.versions().items():
        if known.tags.get("fingerprint") == result["fingerprint"]:
            registry.tag(number, tags)
            return {"version": number, "run_id": known.run_id}
    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"{result['made_by']} {result['encoder']}",
        artifact_root=artifact_root(context),
        tags={
            "encoder_fingerprint": result["fingerprint"],
            "git_commit": git_commit(),
            "airflow_run": airflow_run(),
            "plmrec_version": plmrec.__version__,
        },
    ) as run:
        run.log_params(context.params.model_dump(mode="json", include=_USED))
        losses = {k: v for k, v in result.items() if k.startswith("loss_") and v is not None}
        run.log_metrics({**measured, **losses})
        run.log_json(result["params"]["encoder"], "encoder/model.json")
        run.log_json(result, "encoder/evaluation.json")
        number = registry.add(
            source=run.artifact_url("encoder"), run_id=run.run_id, model_id=None, tags=tags
        )
        return {"version": number, "run_id": run.run_id}


_USED: Final = {"seed", "encoder", "documents", "evaluation", "pretraining", "adaptation"}


def corpus_digest(context: Context) -> str:
    """Identity of all documents."""
    return documents_table(context.workspace, context.params.shards).digest()


def training_digest(context: Context, kind: str, *more: Any) -> str:
    """Identity of a training: the encoder it starts from, its parameters, and what it reads.

    Args:
        context: With the encoder in its parameters.
        kind: ``pretraining`` or ``adaptation``, the section of its parameters.
        more: JSON values.
    """
    section = context.params.model_dump(mode="json", include={"seed", kind})
    parts = [kind, load_encoder(context).fingerprint, section, corpus_digest(context), *more]
    return digest_json(parts)


def _measure(context: Context, encoder: Encoder, yardstick: Yardstick) -> PerUser:
    catalogue = load_catalogue(context, encoder.fingerprint)
    vectors = catalogue.vectors
    found = {} if vectors is None else judge_vectors(vectors, yardstick)
    asked = _questions(context, encoder.fingerprint)
    return found | ({RETRIEVAL: judge_retrieval(encoder, asked)} if len(asked) > 1 else {})


def own_texts(context: Context, yardstick: Yardstick) -> list[tuple[str, str]]:
    """Two texts each of items that may be learnt from: none that is taken out or asked for.

    Returns:
        Header and first other passage, of items that have both, sorted by id.
    """
    fingerprint = embed_beside(context).fingerprint
    known = _two_texts(context, fingerprint)
    left_out = set(_asked(context, sorted(known)))
    for split in yardstick.splits.values():
        if split.candidates is not None:
            places = np.flatnonzero(split.candidates).tolist()
            left_out.update(yardstick.data.catalogue.item_ids[place] for place in places)
    return [known[item_id] for item_id in sorted(known) if item_id not in left_out]


def _questions(context: Context, fingerprint: str) -> list[tuple[str, str]]:
    """Header and first other passage of some items that have one; the same for all encoders."""
    known = _two_texts(context, fingerprint)
    return [known[item_id] for item_id in _asked(context, sorted(known))]


def _asked(context: Context, ids: Sequence[str]) -> list[str]:
    drawn = np.random.default_rng(context.params.seed).permutation(len(ids))[:_MAX_QUERIES]
    drawn = drawn[: max(len(ids) // 2, 1)]  # some are left to learn from
    return [ids[place] for place in sorted(drawn.tolist())]


def _two_texts(context: Context, fingerprint: str) -> dict[str, tuple[str, str]]:
    """Header and first other passage of every item that has both, by item_id."""
    table = passages_table(context.workspace, context.params.shards, fingerprint)
    heads: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for row in table.rows(["item_id", "part", "text"]):
        item_id = row["item_id"]
        if row["part"] == "header":
            heads.setdefault(item_id, row["text"])
        elif item_id in heads:
            found.setdefault(item_id, (heads[item_id], row["text"]))
    return found


def _say(change: Change) -> str:
    return f"{change.measure} {change.before:.4f} to {change.after:.4f}"
