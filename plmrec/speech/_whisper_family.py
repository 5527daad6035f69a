"""What Whisper models have in common, whichever library runs them.

Source: Radford et al., 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
section 4.5 for the thresholds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from plmrec.errors import BackendUnavailableError
from plmrec.metrics.speech import zlib_ratio
from plmrec.params import Section
from plmrec.speech.base import Window

# Whisper hears 30 s at a time, which cost the same, however little is said in them.
WINDOW: Final = Window(max_s=29.0, min_s=20.0, long_pause_s=4.0)


class WhisperOptions(Section):
    """Options that mean the same with every library."""

    revision: str | None = Field(
        default=None, description="of a hub name: a commit, so that it cannot move"
    )
    language: str | None = Field(
        default=None, description="code of the language spoken; unset: heard at an item's start"
    )
    batch_size: int = Field(default=8, ge=1, description="spans of up to 29 s at once")
    no_repeat_ngram_size: int = Field(
        default=0, ge=0, description="groups of so many tokens are not said twice; 0: any may"
    )
    min_logprob: float = Field(
        default=-1.0, le=0, description="windows with a lower mean log probability are dropped"
    )
    max_compression: float = Field(
        default=2.4,
        gt=1,
        description="windows whose text zlib shrinks more are dropped: words repeated in a loop",
    )


def only_language(
    asked: str | None, *, is_english_only: bool, who: str, folder: Path
) -> str | None:
    """The one language that is heard: the one set, English for an English-only model, else None.

    Raises:
        BackendUnavailableError: Another one is set for an English-only model.
    """
    if not is_english_only:
        return asked
    if asked not in {None, "en"}:
        raise BackendUnavailableError(
            f"{who}: expected language en for the English-only model in {folder}, got {asked!r}",
            hint="Name a multilingual model",
        )
    return "en"


def is_credible(text: str, mean_logprob: float, options: WhisperOptions) -> bool:
    """False for a text that looks made up, and for none at all."""
    is_loop = zlib_ratio(text) > options.max_compression
    return bool(text) and not is_loop and mean_logprob >= options.min_logprob
