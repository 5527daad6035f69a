"""What changes a result: the checked form of ``params.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    model_validator,
)

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
    lowest_rating: float = Field(default=0.0, description="ratings below are refused")
    highest_rating: float = Field(default=10.0, description="ratings above are refused")
    max_quarantined_share: Fraction = Field(
        default=0.2, description="share of a table's rows in quarantine above which the run stops"
    )
    min_rows_for_shares: int = Field(
        default=20, ge=1, description="rows from which on a table is judged by shares at all"
    )
    max_volume_drop: Fraction = Field(
        default=0.5,
        description="share of a table's accepted rows, lost since the last run on the same "
        "source, above which the run stops",
    )


class FeedbackParams(Section):
    """How interactions become preferences."""

    min_rating: float = Field(default=4.0, description="ratings from here on are positive")
    min_watch_share: Fraction = Field(
        default=0.5,
        description="views that watched at least this share of the duration are positive",
    )
    click_weight: Fraction = Field(
        default=0.3,
        description="weight of a click, or of a comment that is neither for nor against; a like "
        "weighs 1",
    )
    comment_weight: Fraction = Field(
        default=1.0,
        description="weight of a comment full of praise, and against the item of one full of "
        "blame; milder ones weigh less",
    )
    min_sentiment: Fraction = Field(
        default=0.05,
        description="sentiment of a comment, 0 to 1 for or against, below which it is neither",
    )


class SpeechQualityParams(Section):
    """What recognised speech must be like; what is not is decoded again, then refused."""

    min_words: int = Field(
        default=30, ge=1, description="words from which on a transcript is judged at all"
    )
    min_confidence: Fraction = Field(
        default=0.2, description="mean confidence of the segments, weighted by their length"
    )
    max_words_per_s: float = Field(
        default=7.0, gt=0, description="words per second of speech; nobody talks faster"
    )
    max_repetition: Fraction = Field(
        default=0.5, description="share of word groups of four that were said shortly before"
    )
    max_compression: float = Field(
        default=2.8, gt=1, description="how many times smaller zlib makes the text, by pages"
    )
    min_language_confidence: Fraction = Field(
        default=0.2, description="probability of the language, where the recogniser tells one"
    )


class RecogniserParams(Section):
    """Which recogniser hears; ``options`` are checked by the backend."""

    backend: str = Field(default="pocketsphinx", description="a file of plmrec/speech")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )
    safer_options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="laid over options to decode again what is not good enough; empty: refuse it",
    )


class SpeechOverride(RecogniserParams):
    """Another recogniser for some items; those without a language match no language."""

    language: str | None = Field(default=None, description="language of the items; unset: any")
    kind: Literal["video", "audio", "ad", "product"] | None = Field(
        default=None, description="kind of the items; unset: any"
    )


class SpeechParams(RecogniserParams):
    """How speech becomes text."""

    overrides: tuple[SpeechOverride, ...] = Field(
        default=(),
        description="recognisers by language and kind of an item; the first that fits is taken",
    )
    vad: Literal["silero", "energy"] = Field(
        default="silero",
        description="what finds speech: a network, or whatever is louder than the background",
    )
    vad_threshold: Fraction = Field(
        default=0.5, description="probability from which on silero takes sound for speech"
    )
    max_duration_s: float = Field(
        default=6 * 3600.0, gt=0, description="longer media are refused, seconds"
    )
    max_worker_mb: int = Field(
        default=4096,
        ge=0,
        description="resident memory at which the process that hears is replaced, MB; 0: hear in "
        "the process of the task",
    )
    quality: SpeechQualityParams = SpeechQualityParams()
    golden: str | None = Field(
        default=None,
        description="table of recordings and their words, relative to params.yaml; a recogniser "
        "that does worse on it than the last one accepted is refused",
    )
    max_wer_gain: Fraction = Field(
        default=0.02, description="by how much its word error rate may be higher, absolute"
    )


class EncoderParams(Section):
    """Which encoder turns text into vectors; ``options`` are checked by the backend."""

    backend: str = "transformer"
    options: dict[str, JsonValue] = Field(default_factory=dict)


class DocumentParams(Section):
    """How an item's text is put together, cut into passages, and summed up in one vector."""

    mask: bool = Field(
        default=True,
        description="whether e-mail addresses, telephone, card and account numbers and postal "
        "addresses are masked in titles, descriptions and transcripts",
    )
    cast_names: int = Field(
        default=5, ge=0, le=1000, description="names of the cast that count, most important first"
    )
    passage_tokens: int = Field(
        default=128,
        ge=16,
        le=8192,
        description="longest passage, tokens; the encoder's own limit when that is smaller",
    )
    overlap_tokens: int = Field(
        default=16, ge=0, description="tokens that two neighbouring passages share at most"
    )
    max_passages: int = Field(
        default=256, ge=1, description="passages kept of one item, evenly spread over its text"
    )
    passage_s: float = Field(
        default=60.0, gt=0, description="longest span of a spoken passage, seconds"
    )
    pooling: Literal["parts", "mean", "max", "attention"] = Field(
        default="parts",
        description="how an item's vector comes from its passages': parts weighs header, "
        "description and speech as header_share says; mean weighs all alike; max takes the largest "
        "of each number; attention weighs by likeness to title and whole, place and confidence",
    )
    header_share: Fraction = Field(
        default=0.75,
        description="with pooling parts, weight of title, year, genres and names in an item's "
        "vector; description and speech share the rest",
    )

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> DocumentParams:
        if self.overlap_tokens > self.passage_tokens // 2:
            raise ValueError(
                f"overlap_tokens: expected at most half of passage_tokens = {self.passage_tokens}, "
                f"got {self.overlap_tokens}"
            )
        return self


class LanguageParams(Section):
    """What tells the language of a text."""

    backend: str = Field(default="langid", description="a file of plmrec/understanding/language")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )


class SummaryParams(Section):
    """What sums a text up."""

    backend: str = Field(default="central", description="a file of plmrec/understanding/summary")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )


class KeywordParams(Section):
    """What finds the keywords of a text."""

    backend: str = Field(default="mmr", description="a file of plmrec/understanding/keywords")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )


class SentimentParams(Section):
    """What judges the mood of a text and of comments."""

    backend: str = Field(default="vader", description="a file of plmrec/understanding/sentiment")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )


class TopicParams(Section):
    """How the corpus is cut into topics."""

    max_topics: int = Field(
        default=40, ge=1, le=1000, description="most topics; fewer in a small corpus"
    )
    growth: float = Field(
        default=0.2,
        ge=0,
        description="share by which the corpus must have grown for topics to be found anew",
    )


class TaxonomyParams(Section):
    """Which interest tags there are, and when an item carries one."""

    curated: str | None = Field(
        default=None,
        description="YAML file with tags that a person keeps: a list of {id, name, words}; unset: "
        "the one of plmrec",
    )
    min_label_items: int = Field(
        default=5, ge=1, description="items from which on a genre or creator is a tag"
    )
    max_creators: int = Field(
        default=50, ge=0, description="creators that are tags, those with most items"
    )
    max_mined: int = Field(default=40, ge=0, description="tags mined from the corpus")
    tail: float = Field(
        default=0.03,
        gt=0,
        lt=0.5,
        description="largest share of the corpus that carries a tag no item is labelled with",
    )
    min_strength: Fraction = Field(
        default=0.5, description="strength from which on an item carries a tag; labels have 1"
    )
    max_tags: int = Field(default=12, ge=1, description="tags of an item, the strongest")


class UnderstandingParams(Section):
    """What is made of a document: language, summary, keywords, mood, topic and tags."""

    language: LanguageParams = LanguageParams()
    summary: SummaryParams = SummaryParams()
    keywords: KeywordParams = KeywordParams()
    sentiment: SentimentParams = SentimentParams()
    topics: TopicParams = TopicParams()
    taxonomy: TaxonomyParams = TaxonomyParams()


class Range(Section):
    """Numbers from low to high, both included, that a search may try for an option."""

    low: float = Field(description="smallest number")
    high: float = Field(description="largest number")
    log: bool = Field(default=False, description="try by ratio instead of by difference")
    int: bool = Field(default=False, description="whole numbers only")

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"expected low < high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"expected low > 0 where log is true, got {self.low:g}")
        if self.int and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"expected whole low and high, got {self.low:g} and {self.high:g}")
        return self


def _is_range(value: object) -> str:
    return "choices" if isinstance(value, list | tuple) else "range"


Choices = Annotated[tuple[JsonValue, ...], Field(min_length=1)]
Tries = Annotated[
    Annotated[Choices, Tag("choices")] | Annotated[Range, Tag("range")], Discriminator(_is_range)
]
Space = dict[str, dict[str, Tries]]


class TrainingParams(Section):
    """How the recommender is fitted."""

    min_interval_days: float = Field(
        default=7.0, ge=0, description="days between scheduled trainings; a forced one ignores it"
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="options of the blend: its parts, their options, and weights; checked there",
    )
    tune: bool = Field(
        default=True, description="search the space and fit the weights of the parts"
    )
    space: Space = Field(
        default={
            "ease": {
                "reads": ("seen", "liked"),
                "l2": Range(low=50, high=2000, log=True),
                "decay_items": Range(low=3, high=60, log=True),
            },
            "item_knn": {
                "reads": ("seen", "liked"),
                "shrinkage": Range(low=2, high=200, log=True),
                "n_neighbours": Range(low=20, high=300, log=True, int=True),
                "decay_items": Range(low=2, high=60, log=True),
            },
            "als": {
                "reads": ("seen", "liked"),
                "factors": (32, 64, 128),
                "alpha": Range(low=1, high=40, log=True),
                "l2": Range(low=0.3, high=100, log=True),
                "decay_items": Range(low=3, high=60, log=True),
            },
            "markov": {
                "reads": ("seen", "liked"),
                "window": Range(low=1, high=20, log=True, int=True),
                "shrinkage": Range(low=2, high=100, log=True),
                "decay_items": Range(low=1, high=20, log=True),
            },
            "recent_popularity": {"half_life_days": Range(low=1, high=180, log=True)},
            "content": {
                "n_neighbours": (30, 100, 300),
                "decay_items": Range(low=1, high=30, log=True),
            },
        },
        description="what the search may try of each backend's options: a list of values, or a "
        "range {low, high, log, int}; a part's own value is always tried",
    )
    starts: dict[str, tuple[dict[str, JsonValue], ...]] = Field(
        default={
            "ease": (
                {"reads": "liked"},
                {"l2": 400.0, "decay_items": 4.5},
                {"l2": 1500.0, "decay_items": 4.5},
            ),
            "item_knn": (
                {"reads": "liked"},
                {"decay_items": 3.5},
                {"n_neighbours": 250, "decay_items": 3.5},
            ),
            "als": ({"reads": "liked"}, {"alpha": 4.0, "l2": 1.0}),
            "markov": ({"reads": "liked"}, {"shrinkage": 70.0, "decay_items": 4.5}),
        },
        description="settings of a backend to try right after a part's own, such as good ones of "
        "other data; options they do not name are the part's own",
    )
    trials: int = Field(
        default=20, ge=1, le=1000, description="settings tried of a part, its own being the first"
    )
    trials_of: dict[str, Annotated[int, Field(ge=1, le=1000)]] = Field(
        default_factory=dict,
        description="the same for single backends, such as one whose fits are long",
    )
    budget_s: float = Field(
        default=480.0,
        ge=0,
        description="seconds for the search; each part's own setting is tried in any case. When "
        "they end it before trials do, what is found depends on the speed of the machine",
    )
    validation: Literal["last", "time", "random"] = Field(
        default="last",
        description="what tuning holds out: each user's last like, the likes of the last "
        "validation_share of the time, or a random like of each user",
    )
    validation_share: Fraction = Field(
        default=0.2, description="share of the dated interactions that a split by time holds out"
    )
    windows: int = Field(
        default=2,
        ge=0,
        le=8,
        description="moments of the past before which the parts are fitted again, to learn their "
        "weights also from what users did after it; fewer where one shows enough users",
    )
    window_weight: float = Field(
        default=0.25,
        ge=0,
        description="how much a user of such a window counts, against 1 for one of validation; "
        "more serves users who come back after long, less those still here",
    )
    validation_users: int = Field(
        default=2000, ge=1, description="users drawn to judge a setting by"
    )
    weight_users: int = Field(
        default=2000, ge=1, description="users drawn from each split to fit the weights by"
    )
    weight_l2: float = Field(
        default=10.0, ge=0, description="pull of the weights towards equal ones"
    )


class EvaluationParams(Section):
    """How challenger and champion are compared."""

    k: int = Field(default=10, ge=1, description="cut-off of the ranking metrics, items")
    split: Literal["time", "last", "random"] = Field(
        default="time",
        description="what is held out: the likes of the last share of the time, each user's last "
        "like, or a random like of each user",
    )
    share: Fraction = Field(
        default=0.2, description="share of the dated interactions that split time holds out"
    )
    max_users: int = Field(
        default=10_000, ge=1, description="users judged, drawn evenly when there are more"
    )
    resamples: int = Field(default=1000, ge=10, description="bootstrap resamples of the users")
    confidence: Fraction = Field(default=0.95, description="coverage of the intervals")


class PolicyParams(Section):
    """When a challenger becomes champion."""

    metric: str = Field(
        default="ndcg@k", description="name of a metric; @k stands for @ and evaluation.k"
    )
    min_gain: float = Field(
        default=0.0, description="gain over the champion that the metric needs, absolute"
    )
    significant: bool = Field(
        default=False,
        description="whether the whole confidence interval of the gain must lie above min_gain",
    )
    max_slice_loss: float = Field(
        default=0.02, ge=0, description="loss against the champion allowed in a slice, absolute"
    )
    min_slice_users: int = Field(
        default=50, ge=1, description="users from which on a slice is judged"
    )
    must_beat: tuple[str, ...] = Field(
        default=("popularity",), description="baselines whose metric the challenger must exceed"
    )
    first_must_beat: bool = Field(
        default=False,
        description="whether the baselines also stand in the way of a first release; if not, lists "
        "that are no better than theirs are better than none, and the verdict says so",
    )
    approval: Literal["auto", "human"] = Field(
        default="auto",
        description="whether a challenger that passes is promoted at once, or once a person agrees",
    )


class IndexParams(Section):
    """Shape and gate of the pgvector index."""

    m: int = Field(default=16, ge=2, le=100, description="HNSW links per node")
    ef_construction: int = Field(default=64, ge=4, le=1000, description="HNSW build list")
    ef_search: int = Field(default=80, ge=1, le=1000, description="HNSW search list")
    min_recall: Fraction = Field(
        default=0.95, description="recall@10 against exact search to go live"
    )
    recall_queries: int = Field(
        default=200, ge=1, le=10_000, description="queries in the recall sample, per table"
    )

    @model_validator(mode="after")
    def _build_list_holds_the_links(self) -> IndexParams:
        if self.ef_construction < 2 * self.m:
            raise ValueError(
                f"ef_construction: expected at least 2 * m = {2 * self.m}, got "
                f"{self.ef_construction}"
            )
        return self


class PretrainingParams(Section):
    """How ``plmrec pretrain`` goes on training the encoder on the platform's own texts."""

    epochs: float = Field(default=1.0, gt=0, le=1000, description="times every text is seen")
    max_steps: int | None = Field(
        default=None, ge=1, description="most steps in all; null: no limit"
    )
    batch_size: int = Field(default=16, ge=1, description="texts a step")
    learning_rate: float = Field(default=5e-5, gt=0, le=1, description="highest, after warming up")
    warmup_share: Fraction = Field(
        default=0.1, description="share of the steps over which the learning rate rises"
    )
    max_tokens: int = Field(
        default=128, ge=8, le=8192, description="longest text, tokens; longer ones are cut in parts"
    )
    mask_share: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="share of the tokens to be guessed, drawn anew each time",
    )
    head_steps: int = Field(
        default=200, ge=0, description="steps for a new output layer alone, before all is trained"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=1, description="share of the items whose texts only measure the loss"
    )


class AdaptationParams(Section):
    """How ``plmrec adapt`` brings texts together whose items the same people like."""

    within_items: int = Field(
        default=3, ge=1, le=100, description="likes of a user at most so many apart make a pair"
    )
    within_days: float = Field(
        default=30.0, gt=0, description="and at most so many days apart, where times are known"
    )
    min_users: int = Field(default=2, ge=1, description="users that a pair needs")
    pairs_per_item: int = Field(
        default=20, ge=1, description="most pairs of one item, so that popular ones do not rule"
    )
    max_pairs: int = Field(default=20_000, ge=2, description="most pairs in all, the surest first")
    text_share: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="pairs of two texts of the same item, for each pair of items: they keep what "
        "the encoder knows of texts; 0: none",
    )
    epochs: float = Field(default=1.0, gt=0, le=1000, description="times every pair is seen")
    max_steps: int | None = Field(
        default=None, ge=1, description="most steps in all; null: no limit"
    )
    batch_size: int = Field(
        default=32, ge=2, description="pairs a step; each is told from all others of its step"
    )
    learning_rate: float = Field(default=2e-5, gt=0, le=1, description="highest, after warming up")
    warmup_share: Fraction = Field(
        default=0.1, description="share of the steps over which the learning rate rises"
    )
    max_tokens: int = Field(
        default=64, ge=8, le=8192, description="tokens read of a text; less takes less time"
    )
    scale: float = Field(
        default=20.0, gt=0, description="factor of the cosines; more makes near misses count more"
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
