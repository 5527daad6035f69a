"""What changes a result: the checked form of ``params.yaml``, a module for each of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from plmrec.errors import ParamsError
from plmrec.params.base import BackendParams, Fraction, Section
from plmrec.params.data import DocumentParams, FeedbackParams, ValidationParams
from plmrec.params.encoders import AdaptationParams, EncoderParams, PretrainingParams
from plmrec.params.release import EvaluationParams, IndexParams, PolicyParams
from plmrec.params.speech import RecogniserParams, SpeechOverride, SpeechParams, SpeechQualityParams
from plmrec.params.training import Choices, Range, Space, TrainingParams, Tries
from plmrec.params.understanding import (
    KeywordParams,
    LanguageParams,
    SentimentParams,
    SummaryParams,
    TaxonomyParams,
    TopicParams,
    UnderstandingParams,
)

__all__ = [
    "AdaptationParams",
    "BackendParams",
    "Choices",
    "DocumentParams",
    "EncoderParams",
    "EvaluationParams",
    "FeedbackParams",
    "Fraction",
    "IndexParams",
    "KeywordParams",
    "LanguageParams",
    "Params",
    "PolicyParams",
    "PretrainingParams",
    "Range",
    "RecogniserParams",
    "Section",
    "SentimentParams",
    "Space",
    "SpeechOverride",
    "SpeechParams",
    "SpeechQualityParams",
    "SummaryParams",
    "TaxonomyParams",
    "TopicParams",
    "TrainingParams",
    "Tries",
    "UnderstandingParams",
    "ValidationParams",
    "load_params",
]


class Params(Section):
    """Everything that changes a result, in the order of the chain."""

    seed: int = Field(default=7, description="seed of every random choice")
    shards: int = Field(default=4, ge=1, le=512, description="shards of every table; mapped tasks")
    validation: ValidationParams = ValidationParams()
    feedback: FeedbackParams = FeedbackParams()
    speech: SpeechParams = SpeechParams()
    encoder: EncoderParams = EncoderParams()
    documents: DocumentParams = DocumentParams()
    understanding: UnderstandingParams = UnderstandingParams()
    training: TrainingParams = TrainingParams()
    evaluation: EvaluationParams = EvaluationParams()
    policy: PolicyParams = PolicyParams()
    index: IndexParams = IndexParams()
    pretraining: PretrainingParams = PretrainingParams()
    adaptation: AdaptationParams = AdaptationParams()


def load_params(path: Path) -> Params:
    """Read and check params.yaml; a missing ``params.yaml`` means the defaults.

    Raises:
        ParamsError: The file named is missing, is not YAML, or holds a key or value Params refuses.
    """
    if not path.exists() and path == Path("params.yaml"):
        return Params()
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Params.model_validate(values)
    except OSError as err:
        raise ParamsError(f"params: cannot read {path}", hint="Set PLMREC_PARAMS") from err
    except yaml.YAMLError as err:
        raise ParamsError(f"params: {path} is not YAML: {err}") from err
    except ValidationError as err:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors()[:5]]
        raise ParamsError(f"params: {path} is not valid: {'; '.join(lines)}") from err
