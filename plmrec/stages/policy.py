"""The promotion policy: from a comparison to a verdict, rule by rule."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from plmrec.errors import ParamsError
from plmrec.params import PolicyParams
from plmrec.stages.compare import Comparison
from plmrec.stages.evaluate import Evaluation

Verdict: TypeAlias = Literal["promote", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition and how it came out.

    Attributes:
        rule: Its name, such as ``gain`` or ``slice heavy_users``.
        value: What was measured; None when it could not be.
        threshold: What it was held against.
        passed: Whether it is met.
        reason: One sentence for people.
    """

    rule: str
    value: float | None
    threshold: float
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict: promoted when every rule passed."""

    decision: Verdict
    metric: str
    rules: tuple[Rule, ...]

    @property
    def reasons(self) -> list[str]:
        """The sentences of the rules that decided: those that failed, or all when none did."""
        failed = [rule.reason for rule in self.rules if not rule.passed]
        return failed or [rule.reason for rule in self.rules]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        rules = [asdict(rule) for rule in self.rules]
        return {
            "decision": self.decision,
            "metric": self.metric,
            "reasons": self.reasons,
            "rules": rules,
        }


def decide(comparison: Comparison, policy: PolicyParams) -> Decision:
    """Judge a challenger by the policy.

    Against a champion: its gain must reach ``min_gain`` (the interval's lower end, when
    ``significant``), and no slice of enough users may lose more than ``max_slice_loss``. Always:
    it must exceed the baselines of ``must_beat``. Without a champion that is all, ``popularity`` is
    among them in any case, and they only stand in the way if ``first_must_beat``; else the reasons
    say which were not exceeded.

    Raises:
        ParamsError: The metric or a baseline of the policy does not exist.
    """
    metric = policy.metric.replace("@k", f"@{comparison.challenger.k}")
    known = comparison.challenger.judgement.per_user
    if metric not in known:
        raise ParamsError(f"policy.metric: expected one of {sorted(known)}, got {metric!r}")
    rules = [*_baseline_rules(comparison, policy, metric)]
    if comparison.champion is not None:
        rules = [_gain_rule(comparison, policy, metric), *rules]
        rules += _slice_rules(comparison, policy, metric)
    is_lenient = comparison.champion is None and not policy.first_must_beat
    passed = is_lenient or all(rule.passed for rule in rules)
    verdict: Verdict = "promote" if passed else "reject"
    return Decision(decision=verdict, metric=metric, rules=tuple(rules))


def _gain_rule(comparison: Comparison, policy: PolicyParams, metric: str) -> Rule:
    mean, low, high = comparison.gains[metric]
    value = low if policy.significant else mean
    what = "lower end of the gain" if policy.significant else "gain"
    passed = value >= policy.min_gain
    return Rule(
        rule="gain",
        value=_known(value),
        threshold=policy.min_gain,
        passed=passed,
        reason=f"{metric}: {what} over the champion is {value:+.4f} ({low:+.4f} to {high:+.4f}), "
        f"{'at least' if passed else 'below'} {policy.min_gain:+.4f}",
    )


def _baseline_rules(comparison: Comparison, policy: PolicyParams, metric: str) -> list[Rule]:
    challenger: Evaluation = comparison.challenger
    names = list(policy.must_beat)
    if comparison.champion is None and "popularity" not in names:
        names.append("popularity")
    value = challenger.metrics()[metric]
    rules = []
    for name in names:
        if name not in challenger.baselines:
            raise ParamsError(
                f"policy.must_beat: expected names among {sorted(challenger.baselines)}, "
                f"got {name!r}"
            )
        threshold = challenger.baselines[name][metric]
        passed = value > threshold
        rules.append(
            Rule(
                rule=f"beats {name}",
                value=_known(value),
                threshold=threshold,
                passed=passed,
                reason=f"{metric}: {value:.4f} is {'above' if passed else 'not above'} "
                f"{name}'s {threshold:.4f}",
            )
        )
    return rules


def _slice_rules(comparison: Comparison, policy: PolicyParams, metric: str) -> list[Rule]:
    rules = []
    for name, gains in comparison.slice_gains.items():
        users = int(comparison.challenger.slices[name].sum())
        loss = -gains[metric].mean
        if users < policy.min_slice_users or math.isnan(loss):
            continue
        passed = loss <= policy.max_slice_loss
        rules.append(
            Rule(
                rule=f"slice {name}",
                value=_known(loss),
                threshold=policy.max_slice_loss,
                passed=passed,
                reason=f"{metric} of {users} {name.replace('_', ' ')} changes by {-loss:+.4f}; a "
                f"loss of {policy.max_slice_loss:.4f} is {'kept' if passed else 'exceeded'}",
            )
        )
    return rules


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
