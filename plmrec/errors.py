"""Every error plmrec raises on purpose. Two questions decide the class: whose fault, and retry?"""

from __future__ import annotations


class PlmrecError(Exception):
    """Base class: the message says what was expected, what was found, and what to do.

    Args:
        message: One sentence in the form ``<thing>: expected X, got Y``.
        hint: The next action for the reader, as an imperative.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[PlmrecError], tuple[str], dict[str, str]]:
        """Survive a process boundary with message and hint intact (the default loses the hint)."""
        return type(self), (str(self),), {"message": self.message, "hint": self.hint}


class PermanentError(PlmrecError):
    """Trying again without a change will fail again: bad data, bad parameters, missing extra."""


class TransientError(PlmrecError):
    """Trying again later may work: a refused connection, a lock held by another, a full device."""


class ParamsError(PermanentError):
    """params.yaml, the environment or a command's arguments do not describe a valid run."""


class DataContractError(PermanentError):
    """Data breaks a promise made by whoever wrote it."""


class ShapeError(DataContractError):
    """An array does not have the shape its name promises."""


class GateError(PermanentError):
    """A gate measured something and refused: too much bad data, recall too low, policy not met."""


class MissingStageError(PermanentError):
    """A stage needs the output of an earlier one that has not run in this workspace."""


class BackendUnavailableError(PermanentError):
    """A backend's name is unknown, or its optional dependency or weights are not there."""


class ServiceUnavailableError(TransientError):
    """PostgreSQL, MLflow or Airflow did not answer."""
