"""What changes a result: the checked form of ``params.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from plmrec.errors import ParamsError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A block of params.yaml; unknown keys are refused, so a typo cannot be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidationParams(Section):
    """What a dataset must be like to enter the chain."""

    max_text_chars: int = Field(
        default=200_000, ge=100, description="longest text field, characters"
    )
    max_quarantined_share: Fraction = Field(
        default=0.2, description="share of a table's rows in quarantine above which the run stops"
    )


class FeedbackParams(Section):
    """How interactions become preferences."""

    min_rating: float = Field(default=4.0, description="ratings from here on are positive")
    min_watch_share: Fraction = Field(
        default=0.5,
        description="views that watched at least this share of the duration are positive",
    )


class SpeechParams(Section):
    """How speech becomes text; ``options`` are checked by the backend."""

    backend: str = "pocketsphinx"
    max_duration_s: float = Field(default=6 * 3600.0, gt=0, description="longer media are refused")
    options: dict[str, JsonValue] = Field(default_factory=dict)


class EncoderParams(Section):
    """Which encoder turns text into vectors; ``options`` are checked by the backend."""

    backend: str = "transformer"
    batch_size: int = Field(default=32, ge=1, description="passages per forward pass")
    options: dict[str, JsonValue] = Field(default_factory=dict)


class DocumentParams(Section):
    """How an item's text is cut into passages."""

    overlap_tokens: int = Field(default=32, ge=0, description="tokens two passages share")


class TrainingParams(Section):
    """How the recommender is fitted."""

    min_interval_days: float = Field(
        default=7.0, ge=0, description="days between scheduled trainings; a forced one ignores it"
    )


class EvaluationParams(Section):
    """How challenger and champion are compared."""

    k: int = Field(default=10, ge=1, description="cut-off of the ranking metrics, items")


class PolicyParams(Section):
    """When a challenger becomes champion."""

    metric: str = "ndcg@10"


class IndexParams(Section):
    """Shape and gate of the pgvector index."""

    m: int = Field(default=16, ge=2, le=100, description="HNSW links per node")
    ef_construction: int = Field(default=64, ge=4, le=1000, description="HNSW build list")
    ef_search: int = Field(default=80, ge=1, le=1000, description="HNSW search list")
    min_recall: Fraction = Field(
        default=0.95, description="recall@10 against exact search to go live"
    )


class Params(Section):
    """Everything that changes a result, in the order of the chain."""

    seed: int = Field(default=7, description="seed of every random choice")
    shards: int = Field(default=4, ge=1, le=512, description="shards of every table; mapped tasks")
    validation: ValidationParams = ValidationParams()
    feedback: FeedbackParams = FeedbackParams()
    speech: SpeechParams = SpeechParams()
    encoder: EncoderParams = EncoderParams()
    documents: DocumentParams = DocumentParams()
    training: TrainingParams = TrainingParams()
    evaluation: EvaluationParams = EvaluationParams()
    policy: PolicyParams = PolicyParams()
    index: IndexParams = IndexParams()


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
