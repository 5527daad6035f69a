"""The texts of some items of one shard: read or heard, judged, and heard again if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, TypeAlias

from plmrec.quality.base import Verdict
from plmrec.quality.speech import SpeechJudge, SpeechLimits
from plmrec.stages.hearers import Hearer, Task
from plmrec.stages.item_text import ItemText, Problem, is_understood, read_subtitles, without_query
from plmrec.stages.media_files import MediaFiles
from plmrec.stages.recognisers import Recognisers
from plmrec.stages.transcript_files import TranscriptFiles

Advance: TypeAlias = Callable[[int], None]

_BYTES_PER_S: Final = 16_000  # of a medium whose duration is not known; only for the order


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """What it takes to find the texts of items.

    Attributes:
        shard: Name of the shard.
        inputs: Input digest of each item.
        files: Media and subtitles.
        results: Keeps what was heard until the shard is written.
        recognisers: Says which one hears which item.
        hearer: Hears.
        judge: Judges recognised speech.
        advance: Told the number of items finished since the last call.
    """

    shard: str
    inputs: Mapping[str, str]
    files: MediaFiles
    results: TranscriptFiles
    recognisers: Recognisers
    hearer: Hearer
    judge: SpeechJudge
    advance: Advance

    def texts(self, items: Sequence[Mapping[str, Any]]) -> dict[str, ItemText]:
        """Find the text of each item, by item_id."""
        texts: dict[str, ItemText] = {}
        problems: dict[str, tuple[Problem, ...]] = {}
        tasks: list[Task] = []
        lengths: dict[str, float] = {}
        for item in items:
            item_id = item["item_id"]
            text, problems[item_id] = self._without_hearing(item)
            if text is not None:
                texts[item_id] = text
                self.advance(1)
            else:
                tasks.append(self._task(item))
                lengths[item_id] = self._length_s(item)
        heard = self._judged(tasks, self._heard(tasks, lengths))
        for item_id, text in heard.items():
            texts[item_id] = replace(text, problems=(*problems[item_id], *text.problems))
        return texts

    def _without_hearing(
        self, item: Mapping[str, Any]
    ) -> tuple[ItemText | None, tuple[Problem, ...]]:
        """The text of an item whose media need not be heard; None for the others."""
        text, problems = read_subtitles(item, self.files)
        if text is not None:
            return text, ()
        if not item["media"]:
            return ItemText(status="refused" if problems else "none", problems=problems), ()
        language, only = item["language"], self.recognisers.choose(item).first.language
        if is_understood(language, only):
            return None, problems
        other = Problem(
            reason="language_not_supported",
            detail=f"media: expected speech in {only}, got {language}",
            origin=without_query(item["media"]),
        )
        return ItemText(status="none", language=language, problems=(*problems, other)), ()

    def _task(self, item: Mapping[str, Any]) -> Task:
        return Task(
            shard=self.shard,
            item_id=item["item_id"],
            media=item["media"],
            language=item["language"],
            input_digest=self.inputs[item["item_id"]],
            choice=self.recognisers.choose(item).number,
        )

    def _length_s(self, item: Mapping[str, Any]) -> float:
        """Duration of an item's medium, for the order: as the item says, else by its size."""
        if item["duration_s"]:
            return float(item["duration_s"])
        return (self.files.n_bytes(item["media"]) or 0) / _BYTES_PER_S

    def _heard(self, tasks: Sequence[Task], lengths: Mapping[str, float]) -> dict[str, ItemText]:
        """Hear media, or take what an interrupted run had heard."""
        texts: dict[str, ItemText] = {}
        for task in tasks:
            text = self.results.kept(self.shard, task.item_id, task.input_digest)
            if text is not None:
                texts[task.item_id] = text
                self.advance(1)
        rest = [task for task in tasks if task.item_id not in texts]
        for group in self._groups(rest, lengths):
            for task, text in zip(group, self.hearer.hear(group), strict=True):
                self.results.keep(self.shard, task.item_id, text, task.input_digest)
                texts[task.item_id] = text
            self.advance(len(group))
        return texts

    def _groups(
        self, tasks: Sequence[Task], lengths: Mapping[str, float]
    ) -> Iterator[Sequence[Task]]:
        """Tasks of one recogniser each, longest first; those that fit a batch go together."""
        in_order = sorted(tasks, key=lambda task: (task.choice, -lengths[task.item_id]))
        for number, mine in groupby(in_order, key=lambda task: task.choice):
            recogniser = self.recognisers.choices[number].first
            room_s = recogniser.batch_size * recogniser.window.max_s
            group: list[Task] = []
            for task in mine:
                total_s = sum(lengths[each.item_id] for each in (*group, task))
                if group and (recogniser.batch_size == 1 or total_s > room_s):
                    yield group
                    group = []
                group.append(task)
            if group:
                yield group

    def _judged(self, tasks: Sequence[Task], texts: dict[str, ItemText]) -> dict[str, ItemText]:
        """Judge what was heard; hear again what is not good enough; refuse what stays so."""
        by_id = {task.item_id: task for task in tasks}
        verdicts = self._verdicts(texts)
        again = [
            replace(by_id[item_id], is_safer=True)
            for item_id in verdicts
            if self.recognisers.choices[by_id[item_id].choice].safer is not None
        ]
        if again:
            second = {task.item_id: self._again(task) for task in again}
            texts = {**texts, **second}
            verdicts = {
                **{key: verdict for key, verdict in verdicts.items() if key not in second},
                **self._verdicts(second),
            }
        return {
            key: self._with_verdict(text, verdicts.get(key), by_id[key].media)
            for key, text in texts.items()
        }

    def _again(self, task: Task) -> ItemText:
        kept_as = f"{task.input_digest}-2"
        text = self.results.kept(self.shard, f"{task.item_id}\n2", kept_as)
        if text is None:
            [text] = self.hearer.hear([task])
            text = replace(text, n_tries=2)
            self.results.keep(self.shard, f"{task.item_id}\n2", text, kept_as)
        return text

    def _verdicts(self, texts: Mapping[str, ItemText]) -> dict[str, Verdict]:
        """Verdicts on texts that break a rule, by item_id."""
        judged = [key for key, text in texts.items() if self._is_judged(text)]
        rows = [
            {**texts[key].measures(), "language_confidence": texts[key].language_confidence}
            for key in judged
        ]
        limits = self.recognisers.params.quality.model_dump(exclude={"min_words"})
        found = self.judge.judge(rows, SpeechLimits(**limits)) if rows else []
        return {judged[verdict.row]: verdict for verdict in found}

    def _is_judged(self, text: ItemText) -> bool:
        n_words = sum(len(segment.text.split()) for segment in text.segments)
        return text.status == "speech" and n_words >= self.recognisers.params.quality.min_words

    def _with_verdict(self, text: ItemText, verdict: Verdict | None, media: str) -> ItemText:
        if text.status != "speech":
            return text
        if verdict is None:
            return replace(text, verdict="accepted" if self._is_judged(text) else "unjudged")
        problem = Problem(
            reason=verdict.reason,
            detail=f"{verdict.detail}, decoded {_times(text.n_tries)}",
            origin=without_query(media),
        )
        return replace(
            text,
            status="refused",
            verdict="refused",
            segments=(),
            words=(),
            problems=(*text.problems, problem),
        )


def _times(n_tries: int | None) -> str:
    return "twice" if n_tries == 2 else "once"
