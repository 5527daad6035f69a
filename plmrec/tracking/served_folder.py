"""The code of a logged model: MLflow copies this file beside the state and runs it to load it.

It holds no logic: the model's configuration names the function that turns the folder with the
state into an answer, so that nothing is pickled and the code that answers is plmrec's own.
"""

from __future__ import annotations

import importlib
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ServedFolder(PythonModel):
    """Answers with the function that the configuration names as ``module:function``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the state: ``function(folder)`` returns the one that answers."""
        module, _, function = str(context.model_config["loader"]).partition(":")
        load = getattr(importlib.import_module(module), function)
        self._answer = load(context.artifacts["state"])

    # MLflow reads the hint of model_input, and warns of any it cannot turn into a schema.
    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> Any:
        """Answer a frame of questions with a frame of answers, one row each."""
        return self._answer(model_input, **(params or {}))


set_model(ServedFolder())
