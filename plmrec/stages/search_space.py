"""What a search may try of one part: its axes, with the part's own setting among them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import JsonValue, ValidationError

from plmrec.backends import backend_names, load_backend
from plmrec.errors import ParamsError
from plmrec.params import Range, Space
from plmrec.recommenders.blend import Part

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DIGITS: Final = 4  # significant ones of a number that was drawn

Axis: TypeAlias = tuple[JsonValue, ...] | Range
Axes: TypeAlias = Mapping[str, Axis]
Setting: TypeAlias = Mapping[str, JsonValue]


def check_space(space: Space, parts: Mapping[str, Part]) -> None:
    """Check the space against the backends: their names, the options', and the values.

    Backends that no part uses are checked by name only; they may lack a dependency.

    Raises:
        ParamsError: Names the key of ``training.space`` that cannot be used.
    """
    known = backend_names("recommenders")
    for backend, options in space.items():
        if backend not in known:
            raise ParamsError(f"training.space.{backend}: expected one of {known}")
        for part in parts.values():
            if part.backend == backend:
                for option, tries in options.items():
                    _check_axis(part, option, tries)


def open_axes(part: Part, space: Space) -> tuple[dict[str, Axis], dict[str, JsonValue]]:
    """The axes of a part, and its own place on each.

    An axis is widened to hold the part's own value. An option whose own value has no place on its
    range, such as null, is left as it is.

    Returns:
        The axes and the own values, by option; both without the options left as they are.
    """
    axes: dict[str, Axis] = {}
    own: dict[str, JsonValue] = {}
    options = space.get(part.backend, {})
    values = _own_values(part) if options else {}
    for option, tries in options.items():
        axis = _widen(tries, values[option])
        if axis is not None:
            axes[option], own[option] = axis, values[option]
    return axes, own


def all_settings(axes: Axes, own: Setting) -> list[dict[str, JsonValue]] | None:
    """Every setting on the axes, the own one first; None when a range makes them countless."""
    choices = [axis for axis in axes.values() if not isinstance(axis, Range)]
    if len(choices) < len(axes):
        return None
    first = dict(own)
    settings = [dict(zip(axes, values, strict=True)) for values in itertools.product(*choices)]
    return [first, *[setting for setting in settings if setting != first]]


def draw_from(axes: Axes) -> dict[str, BaseDistribution]:
    """The axes as Optuna's distributions; choices are drawn as JSON texts."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    drawn: dict[str, BaseDistribution] = {}
    for option, axis in axes.items():
        if not isinstance(axis, Range):
            drawn[option] = CategoricalDistribution([json.dumps(value) for value in axis])
        elif axis.int:
            drawn[option] = IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        else:
            drawn[option] = FloatDistribution(axis.low, axis.high, log=axis.log)
    return drawn


def encode(setting: Setting, axes: Axes) -> dict[str, Any]:
    """A setting as Optuna's parameters.

    Example:
        >>> axes = {"reads": ("seen",), "l2": Range(low=1, high=9)}
        >>> encode({"reads": "seen", "l2": 3.0}, axes)
        {'reads': '"seen"', 'l2': 3.0}
    """
    return {
        option: value if isinstance(axes[option], Range) else json.dumps(value)
        for option, value in setting.items()
    }


def decode(params: Mapping[str, Any], axes: Axes) -> dict[str, JsonValue]:
    """Optuna's parameters as a setting; numbers of a range keep four digits.

    Example:
        >>> axes = {"reads": ("seen",), "l2": Range(low=1, high=9)}
        >>> decode({"reads": '"seen"', "l2": 3.14159}, axes)
        {'reads': 'seen', 'l2': 3.142}
    """
    setting: dict[str, JsonValue] = {}
    for option, axis in axes.items():
        value = params[option]
        if not isinstance(axis, Range):
            setting[option] = json.loads(value)
        elif axis.int:
            setting[option] = int(value)
        else:
            setting[option] = min(max(float(f"{value:.{_DIGITS}g}"), axis.low), axis.high)
    return setting


def _check_axis(part: Part, option: str, tries: Axis) -> None:
    key = f"training.space.{part.backend}.{option}"
    module = load_backend("recommenders", part.backend)
    if option not in module.Options.model_fields:
        raise ParamsError(f"{key}: expected one of {sorted(module.Options.model_fields)}")
    for value in _ends(tries) if isinstance(tries, Range) else tries:
        try:
            module.Options.model_validate({**part.options, option: value})
        except ValidationError as err:
            raise ParamsError(f"{key}: {value!r} is refused: {err.errors()[0]['msg']}") from err


def _ends(axis: Range) -> tuple[float, float]:
    return (int(axis.low), int(axis.high)) if axis.int else (axis.low, axis.high)


def _own_values(part: Part) -> dict[str, JsonValue]:
    """All options of a part, with the backend's defaults for those it does not set."""
    module = load_backend("recommenders", part.backend)
    try:
        values: dict[str, JsonValue] = module.Options.model_validate(part.options).model_dump(
            mode="json"
        )
    except ValidationError as err:
        raise ParamsError(f"recommenders.{part.backend}: options are not valid: {err}") from err
    return values


def _widen(tries: Axis, own: JsonValue) -> Axis | None:
    if not isinstance(tries, Range):
        return tries if own in tries else (own, *tries)
    if isinstance(own, bool) or not isinstance(own, int | float) or not math.isfinite(own):
        return None
    if (tries.log and own <= 0) or (tries.int and own != int(own)):
        return None
    return tries.model_copy(
        update={"low": min(tries.low, float(own)), "high": max(tries.high, float(own))}
    )
