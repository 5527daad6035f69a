"""What a search may try of one part: its axes, with the part's own setting among them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
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
Starts: TypeAlias = Mapping[str, Sequence[Setting]]


def check_space(space: Space, starts: Starts, parts: Mapping[str, Part]) -> None:
    """Check space and starts against the backends: their names, the options', and the values.

    Backends that no part uses are checked by name only; they may lack a dependency.

    Raises:
        ParamsError: Names the key of ``training.space`` or ``.starts`` that cannot be used.
    """
    known = backend_names("recommenders")
    for key, backend in [*(("space", b) for b in space), *(("starts", b) for b in starts)]:
        if backend not in known:
            raise ParamsError(f"training.{key}.{backend}: expected one of {known}")
    for part in [layer for each in parts.values() for layer in layers_of(each).values()]:
        for option, tries in space.get(part.backend, {}).items():
            values = _ends(tries) if isinstance(tries, Range) else tries
            _check_values(part, option, values, f"training.space.{part.backend}.{option}")
        for number, start in enumerate(starts.get(part.backend, ())):
            for option, value in start.items():
                key = f"training.starts.{part.backend}.{number}.{option}"
                _check_values(part, option, (value,), key)


def layers_of(part: Part) -> dict[str, Part]:
    """The part, and what it wraps, by what comes before the names of their options.

    A backend with the options ``backend`` and ``options`` wraps another.

    Example:
        >>> part = Part(backend="carried", options={"backend": "ease", "options": {"l2": 9.0}})
        >>> {prefix: layer.backend for prefix, layer in layers_of(part).items()}
        {'': 'carried', 'options.': 'ease'}
    """
    layers = {"": part}
    fields = load_backend("recommenders", part.backend).Options.model_fields
    if {"backend", "options"} <= fields.keys():
        values = _own_values(part)
        inner = Part.model_validate({name: values[name] for name in ("backend", "options")})
        layers |= {f"options.{prefix}": layer for prefix, layer in layers_of(inner).items()}
    return layers


def open_axes(part: Part, space: Space) -> tuple[dict[str, Axis], dict[str, JsonValue]]:
    """The axes of a part and of what it wraps, and its own place on each.

    An axis is widened to hold the part's own value. An option whose own value has no place on its
    range, such as null, is left as it is.

    Returns:
        The axes and the own values, by option; both without the options left as they are. Options
        of what a part wraps are named ``options.<name>``.
    """
    axes: dict[str, Axis] = {}
    own: dict[str, JsonValue] = {}
    for prefix, layer in layers_of(part).items():
        options = space.get(layer.backend, {})
        values = _own_values(layer) if options else {}
        for option, tries in options.items():
            axis = _widen(tries, values[option])
            if axis is not None:
                axes[prefix + option], own[prefix + option] = axis, values[option]
    return axes, own


def starts_of(part: Part, starts: Starts) -> list[Setting]:
    """The settings to start with of a part and of what it wraps."""
    return [
        {prefix + option: value for option, value in start.items()}
        for prefix, layer in layers_of(part).items()
        for start in starts.get(layer.backend, ())
    ]


def with_setting(part: Part, setting: Setting) -> Part:
    """The part with other options.

    Example:
        >>> part = Part(backend="carried", options={"share": 0.5, "options": {"l2": 9.0}})
        >>> with_setting(part, {"share": 1.0, "options.alpha": 2.0}).options
        {'share': 1.0, 'options': {'l2': 9.0, 'alpha': 2.0}}
    """
    options = dict(part.options)
    for name, value in setting.items():
        *path, option = name.split(".")
        inner: dict[str, Any] = options
        for key in path:
            inner[key] = dict(inner.get(key, {}))  # a copy: the part keeps its own
            inner = inner[key]
        inner[option] = value
    return part.model_copy(update={"options": options})


def first_settings(
    starts: Sequence[Setting], axes: Axes, own: Setting
) -> list[dict[str, JsonValue]]:
    """What to try first: the own setting, then the starts that lie on the axes.

    Of a start, options that have no axis are passed over, and those it does not name are own ones.

    Example:
        >>> axes = {"l2": Range(low=1, high=9), "n": (1, 2)}
        >>> first_settings([{"l2": 9.0, "x": 1}, {"l2": 10.0}], axes, {"l2": 1.0, "n": 2})
        [{'l2': 1.0, 'n': 2}, {'l2': 9.0, 'n': 2}]
    """
    settings = [dict(own)]
    for start in starts:
        setting = {option: start.get(option, own[option]) for option in axes}
        if setting not in settings and all(_is_on(axes[o], setting[o]) for o in axes):
            settings.append(setting)
    return settings


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


def _is_on(axis: Axis, value: JsonValue) -> bool:
    if not isinstance(axis, Range):
        return value in axis
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return axis.low <= value <= axis.high and (not axis.int or value == int(value))


def _check_values(part: Part, option: str, values: Iterable[JsonValue], key: str) -> None:
    options = load_backend("recommenders", part.backend).Options
    if option not in options.model_fields:
        raise ParamsError(f"{key}: expected one of {sorted(options.model_fields)}")
    for value in values:
        try:
            options.model_validate({**part.options, option: value})
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
