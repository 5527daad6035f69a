"""Composes the upgrade of an encoder: its cost, new vectors beside the live ones, the switch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from plmrec.app.context import Context, database_url, open_context
from plmrec.app.embed import CURRENT, embed, load_encoder
from plmrec.app.encoders import FOLDER, embed_beside, versions, with_encoder
from plmrec.app.evaluate import evaluate
from plmrec.app.evaluate import promote as crown
from plmrec.app.refresh import refresh
from plmrec.app.releases import open_registry
from plmrec.app.shards import Progress
from plmrec.app.train import train
from plmrec.app.understand import UNDERSTOOD, understand
from plmrec.backends import backend_names
from plmrec.errors import DataContractError, GateError, MissingStageError, ParamsError
from plmrec.params import EncoderParams, Params
from plmrec.releases.life import ENCODER_MODEL
from plmrec.settings import Settings
from plmrec.stages.embed import open_tables, read_inputs, stale_items
from plmrec.stages.encoder_upgrade import draw_passages, estimate_cost
from plmrec.stores.database import open_database
from plmrec.stores.releases import ReleaseStore
from plmrec.stores.tables import passages_table
from plmrec.stores.workspace import ShardedTable

log = logging.getLogger(__name__)

OnStage: TypeAlias = Callable[[str], Progress]

_KEPT_OPTIONS: Final = ("batch_size", "device", "dtype")  # of the machine, not of the model
_NOTE: Final = ("state", "encoder_upgrade.json")  # what was chosen before an upgrade under way
_CHOSEN: Final = (CURRENT, UNDERSTOOD)  # encoder, taxonomy and topics of the chain


def find_encoder(context: Context, name: str, options: Mapping[str, Any]) -> EncoderParams:
    """The section of params.yaml for an encoder that is meant by a word.

    Args:
        context: Whose workspace and registry.
        name: Number of a version of ``plmrec-encoder``, name of a version trained in this
            workspace, name of a backend, or what ``encoder.options.model`` takes.
        options: Put over the encoder's own.

    Raises:
        ParamsError: There is no such version, or it does not say how it is built.
    """
    if name.isdecimal():
        found = _registered(context, int(name))
    elif name in {folder.name for folder, _ in versions(context)}:
        found = _transformer(context, str(context.workspace.local(FOLDER, name)))
    elif name in backend_names("encoders"):
        found = EncoderParams(backend=name)
    else:
        model = str(Path(name).resolve()) if Path(name).is_dir() else name
        found = _transformer(context, model)
    return found.model_copy(update={"options": {**found.options, **options}})


def plan_upgrade(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, Any]:
    """Say what an upgrade of the encoder will cost, without embedding more than a sample.

    Args:
        name: See ``find_encoder``.
        options: See ``find_encoder``.
        settings: Where to run; the environment by default.
        params: What runs now; params.yaml by default.

    Returns:
        ``encoder fingerprint dim from_encoder from_fingerprint`` and the fields of
        stages.encoder_upgrade.Cost; items that have vectors of the new encoder cost nothing.

    Raises:
        MissingStageError: Nothing was embedded with the encoder of params.yaml yet.
        BackendUnavailableError: The new encoder is not here.
    """
    context = open_context(settings, params)
    new = with_encoder(context, find_encoder(context, name, options or {}))
    old_encoder, encoder = load_encoder(context), load_encoder(new)
    stale = _stale(new, encoder.fingerprint)
    sample, n_passages = draw_passages(_passages(context, old_encoder.fingerprint), stale)
    cost = estimate_cost(encoder, sample, n_items=len(stale), n_passages=n_passages)
    return {
        "encoder": encoder.name,
        "fingerprint": encoder.fingerprint,
        "dim": encoder.dim,
        "from_encoder": old_encoder.name,
        "from_fingerprint": old_encoder.fingerprint,
        **asdict(cost),
    }


def upgrade(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    on_stage: OnStage = lambda _stage: lambda _done, _total: None,
) -> dict[str, Any]:
    """Let another encoder take over, if what comes of it passes the gates.

    A release binds encoder and recommender, so the new encoder gets a recommender of its own: its
    vectors are written beside the live ones, taxonomy and meanings are made with it, a challenger
    is trained on them and judged against the champion by the policy; if it passes, a generation is
    built from the new vectors, measured, and made live. Until that last step the old generation
    answers, and it stays for a rollback. A step that was finished is not done again, so a killed
    upgrade goes on where it was.

    Args:
        name: See ``find_encoder``.
        options: See ``find_encoder``.
        settings: Where to run; the environment by default.
        params: What runs now; params.yaml by default.
        on_stage: Called before each step; returns what is told units done and to do.

    Returns:
        ``encoder fingerprint release decision reasons generation recall_at_10 previous params``;
        ``params`` is the section for params.yaml.

    Raises:
        GateError: The policy rejected the challenger or waits for a person, or recall is too low.
            What answers stays, and so does the encoder that the chain goes on with.
        MissingStageError: Items or transcripts are not there.
    """
    context = open_context(settings, params)
    chosen = find_encoder(context, name, options or {})
    new = with_encoder(context, chosen)
    encoder = embed_beside(new, on_stage("embed beside the live vectors"))
    champion = _champion(context)
    before = _note_current(context)
    try:
        report = _challenge(new, on_stage, champion)
    except BaseException:
        # The chain goes on with the encoder it had, whatever stopped the upgrade.
        if _champion(context) == champion:
            for place in _CHOSEN:
                if place[-1] in before:
                    context.workspace.write_json(before[place[-1]], *place)
            context.workspace.remove(*_NOTE)
        raise
    context.workspace.remove(*_NOTE)
    log.info("encoder %s answers with generation %s", encoder.name, report["generation"])
    return {
        "encoder": encoder.name,
        "fingerprint": encoder.fingerprint,
        **report,
        "params": {"encoder": chosen.model_dump(mode="json")},
    }


def _challenge(new: Context, on_stage: OnStage, champion: int | None) -> dict[str, Any]:
    """Train, judge, build and switch with the new encoder, whose vectors are there."""
    where: dict[str, Any] = {"settings": new.settings, "params": new.params}
    embed(progress=on_stage("embed"), **where)
    understand(progress=on_stage("understand"), **where)
    trained = train(progress=on_stage("train"), **where)
    on_stage("evaluate")
    verdict = evaluate(trained["release"], **where)
    if _champion(new) != trained["release"]:
        waits = verdict["decision"] == "promote"
        raise GateError(
            f"encoder upgrade: expected release {trained['release']} to become champion, "
            + ("it waits for a person" if waits else f"it is not: {'; '.join(verdict['reasons'])}"),
            hint=f"Run `plmrec promote {trained['release']}`, then the upgrade again"
            if waits
            else "The old encoder answers on; its vectors and the new ones are kept",
        )
    try:
        built = refresh(progress=on_stage("refresh"), **where)
    except GateError:
        if champion is not None:  # what answers and what is champion go together
            crown(champion, **where)
        raise
    return {
        "release": trained["release"],
        "decision": verdict["decision"],
        "reasons": verdict["reasons"],
        "generation": built["generation"],
        "recall_at_10": built["recall_at_10"],
        "previous": built["previous"],
    }


def _note_current(context: Context) -> dict[str, Any]:
    """What the chain goes on with, by file; before an upgrade that was killed, if one was."""
    if not context.workspace.exists(*_NOTE):
        here = [place for place in _CHOSEN if context.workspace.exists(*place)]
        chosen = {place[-1]: context.workspace.read_json(*place) for place in here}
        context.workspace.write_json(chosen, *_NOTE)
    noted: dict[str, Any] = context.workspace.read_json(*_NOTE)
    return noted


def _registered(context: Context, number: int) -> EncoderParams:
    try:
        tags = open_registry(context, ENCODER_MODEL).version(number).tags
    except DataContractError as err:
        raise ParamsError(
            f"encoder: expected a version of {ENCODER_MODEL}, got {number}",
            hint="See `plmrec encoder list`",
        ) from err
    if "settings" not in tags:
        raise ParamsError(
            f"encoder: version {number} of {ENCODER_MODEL} does not say how it is built",
            hint="Name its model instead",
        )
    return EncoderParams.model_validate(json.loads(tags["settings"]))


def _transformer(context: Context, model: str) -> EncoderParams:
    """Options of the model are its own; those of the machine stay as they are."""
    now = context.params.encoder
    names = _KEPT_OPTIONS if now.backend == "transformer" else ()
    kept = {name: now.options[name] for name in names if name in now.options}
    return EncoderParams(backend="transformer", options={"model": model, **kept})


def _stale(new: Context, fingerprint: str) -> set[str]:
    """Items without vectors of an encoder, or with old ones."""
    opened = open_tables(new.workspace, n_shards=new.params.shards, fingerprint=fingerprint)
    found: set[str] = set()
    for shard in opened.item_vectors.shards:
        inputs = read_inputs(opened, shard, new.params.documents)
        found.update(stale_items(opened, shard, inputs))
    return found


def _passages(context: Context, fingerprint: str) -> ShardedTable:
    table = passages_table(context.workspace, context.params.shards, fingerprint)
    if not table.is_complete:
        raise MissingStageError(
            f"encoder upgrade: expected passages of the encoder of params.yaml in "
            f"{context.workspace.root}, found none or only some",
            hint="Run `plmrec embed` first",
        )
    return table


def _champion(context: Context) -> int | None:
    with open_database(database_url(context)) as pool:
        found = ReleaseStore(pool).in_state("champion")
    return None if found is None else found.version
