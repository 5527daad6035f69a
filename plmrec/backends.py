"""How backends are found: by the name of their file, without a registry to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from plmrec.errors import BackendUnavailableError, ParamsError


def backend_names(family: str) -> list[str]:
    """List the backends of a family without importing any of them.

    Args:
        family: A sub-package of plmrec that holds one backend per file, such as "encoders".
    """
    package = importlib.import_module(f"plmrec.{family}")
    found = pkgutil.iter_modules(package.__path__)
    return sorted(m.name for m in found if m.name != "base" and not m.name.startswith("_"))


def load_backend(family: str, name: str) -> Any:
    """Import the module of a backend, which holds ``Options`` and ``build``.

    Raises:
        BackendUnavailableError: No such file, or its optional dependency is not installed.
    """
    names = backend_names(family)
    if name not in names:
        raise BackendUnavailableError(
            f"{family}: expected one of {names}, got {name!r}",
            hint=f"Add plmrec/{family}/{name}.py or correct params.yaml",
        )
    try:
        return importlib.import_module(f"plmrec.{family}.{name}")
    except ModuleNotFoundError as err:
        if err.name is None or err.name.startswith("plmrec"):
            raise  # a mistake of ours, not a missing dependency
        raise BackendUnavailableError(
            f"{family}.{name}: needs the package {err.name!r}, which is not installed",
            hint=f"Install it with: pip install {err.name}",
        ) from err


def build_backend(family: str, name: str, options: Mapping[str, Any]) -> Any:
    """Import ``plmrec.<family>.<name>``, check options against its Options, call its build.

    Raises:
        BackendUnavailableError: No such file, or its dependency or weights are not there.
        ParamsError: The backend's Options refuse a key or a value.
    """
    module = load_backend(family, name)
    try:
        checked = module.Options.model_validate(dict(options))
    except ValidationError as err:
        raise ParamsError(f"{family}.{name}: options are not valid: {err}") from err
    try:
        return module.build(checked)
    except ModuleNotFoundError as err:
        if err.name is None or err.name.startswith("plmrec"):
            raise
        raise BackendUnavailableError(
            f"{family}.{name}: needs the package {err.name!r}, which is not installed",
            hint=f"Install it with: pip install {err.name}",
        ) from err
