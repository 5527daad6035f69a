"""Versions of an encoder that were trained here: their folders, and their vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plmrec.app.context import Context
from plmrec.app.embed import embed_shard, load_encoder, pending_shards
from plmrec.app.shards import Progress, no_progress
from plmrec.encoders.base import Encoder
from plmrec.params import EncoderParams

FOLDER: Final = "encoders"  # of the workspace, with a folder per version
ABOUT: Final = "plmrec.json"  # in such a folder: where it comes from
_VERSION: Final = re.compile(r"-v\d+$")


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


def with_encoder(context: Context, encoder: EncoderParams) -> Context:
    """The same workspace and parameters with another encoder."""
    params = context.params.model_copy(update={"encoder": encoder})
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
