"""The trials of a part as an Optuna study: what to try next, and what came of what was tried."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from pydantic import JsonValue

from plmrec.digests import digest_json
from plmrec.histories import Floats
from plmrec.stages.search_space import Axes, Setting, decode, draw_from, encode

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_N_RANDOM: Final = 6  # outcomes before the sampler learns from them, the part's own among them
_ENDED_BY: Final = "ended_by"

Storage: TypeAlias = "optuna.storages.BaseStorage"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What came of one setting.

    Attributes:
        setting: Values by option.
        ndcg: Mean NDCG@k over the users judged.
        n_users: So many of the panel, its first ones.
        is_pruned: The rest of the panel was not asked: the setting is clearly worse.
        fit_s: Seconds of the fit; 0 where a fitted model was read in another way.
        judge_s: Seconds of making and judging the lists.
        per_user: float64 (n_users,), NDCG@k; None where a study was taken up again and the
            setting was not the best so far.
    """

    setting: dict[str, JsonValue]
    ndcg: float
    n_users: int
    is_pruned: bool
    fit_s: float
    judge_s: float
    per_user: Floats | None


class Study:
    """The study of one part: proposes settings by TPE, and remembers outcomes.

    Each proposal is drawn with a seed of its own, made of ``seed``, the part and the number of
    outcomes so far. A study that is taken up again thus goes on exactly as it would have.

    Source:
        Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for hyper-parameter optimization".

    Args:
        storage: From ``open_storage``.
        name: Identity of the study; one of that name in ``storage`` is taken up again.
        axes: What may be tried.
        seed: Seed of the proposals.
    """

    def __init__(self, storage: Storage, *, name: str, axes: Axes, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        self._axes = axes
        self._drawn = draw_from(axes)
        self._seed = [seed, name]
        self._fail_interrupted()
        states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        self.outcomes = [self._read(trial) for trial in self._study.get_trials(states=states)]

    @property
    def ended_by(self) -> str:
        """What ended the search; empty while it goes on."""
        return str(self._study.user_attrs.get(_ENDED_BY, ""))

    def end(self, by: str) -> None:
        """Note that the search is over: nothing more is tried when it is taken up again."""
        self._study.set_user_attr(_ENDED_BY, by)

    def best(self) -> Outcome:
        """The outcome of the highest NDCG@k over the whole panel; the earlier wins a tie."""
        whole = [outcome for outcome in self.outcomes if not outcome.is_pruned]
        return max(whole, key=lambda outcome: outcome.ndcg)

    def propose(self, held: Setting) -> tuple[optuna.Trial, dict[str, JsonValue]]:
        """Draw the next setting, with the values of ``held`` as they are."""
        import optuna

        if held and not self._study.get_trials(
            deepcopy=False, states=(optuna.trial.TrialState.WAITING,)
        ):
            self._study.enqueue_trial(encode(held, self._axes))
        seed = int(digest_json([*self._seed, len(self.outcomes)])[:8], 16)
        self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_N_RANDOM)
        trial = self._study.ask(self._drawn)
        return trial, decode(trial.params, self._axes) | dict(held)

    def record(self, trial: optuna.Trial, outcome: Outcome) -> None:
        """Remember the outcome of a proposal."""
        import optuna

        kept: dict[str, Any] = {
            "setting": outcome.setting,
            "ndcg": outcome.ndcg,
            "n_users": outcome.n_users,
            "fit_s": outcome.fit_s,
            "judge_s": outcome.judge_s,
        }
        if not outcome.is_pruned and outcome.per_user is not None and self._is_best(outcome):
            kept["per_user"] = outcome.per_user.tolist()
        trial.set_user_attr("outcome", kept)
        if outcome.is_pruned:
            trial.report(outcome.ndcg, outcome.n_users)
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(trial, outcome.ndcg)
        self.outcomes.append(outcome)

    def _is_best(self, outcome: Outcome) -> bool:
        return not self.outcomes or outcome.ndcg > self.best().ndcg

    def _read(self, trial: optuna.trial.FrozenTrial) -> Outcome:
        import optuna

        kept = dict(trial.user_attrs["outcome"])
        per_user = kept.pop("per_user", None)
        return Outcome(
            **kept,
            is_pruned=trial.state == optuna.trial.TrialState.PRUNED,
            per_user=None if per_user is None else np.array(per_user, dtype=np.float64),
        )

    def _fail_interrupted(self) -> None:
        """Give up the trial that a killed process was at; it is proposed again."""
        import optuna

        for trial in self._study.get_trials(
            deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)
        ):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


@contextmanager
def open_storage(path: Path | None) -> Iterator[Storage]:
    """Open the file that keeps studies; in memory only without one, or while another has it.

    A line that a killed process left unfinished is cut off; a file that cannot be read at all is
    begun again.

    Args:
        path: File on a local disk, one JSON value a line; its folder is made when missing.
    """
    import optuna

    if path is None:
        yield optuna.storages.InMemoryStorage()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".owner").open("a") as owner:  # unlocked by the system, even by a kill
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s is in use by another search; this one is not kept", path)
            yield optuna.storages.InMemoryStorage()
            return
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)  # left by a killed owner
        _cut_unfinished_line(path)
        yield _read_journal(path)


def _read_journal(path: Path) -> Storage:
    try:
        return _open_journal(path)
    except (ValueError, KeyError, TypeError) as err:
        log.warning("%s cannot be read and is begun again: %s", path, err)
        path.unlink()
        return _open_journal(path)


def _open_journal(path: Path) -> Storage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


def _cut_unfinished_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
