from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.encoders._training import (
    Schedule,
    last_checkpoint,
    load_tokenizer,
    open_source,
    save_encoder,
)
from plmrec.encoders._training_lm import train_language
from plmrec.encoders._training_pairs import train_pairs
from plmrec.encoders._training_texts import write_blocks
from plmrec.encoders.transformer import Options
from plmrec.errors import BackendUnavailableError, ParamsError
from tests.support.tiny_models import save_bert
from tests.support.tiny_training import (
    TOPICS,
    save_trainable_bert,
    save_trainable_gpt,
    sentences,
)

pytestmark = pytest.mark.slow  # the trainers' libraries take seconds to load

SCHEDULE = Schedule(
    epochs=4, max_steps=None, batch_size=16, learning_rate=3e-3, warmup_share=0.1, seed=7
)


class Killed(Exception):
    """The process dies here."""


@pytest.fixture(scope="module", params=["bert", "gpt"])
def source(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    save = save_trainable_bert if request.param == "bert" else save_trainable_gpt
    return open_source(Options(model=str(save(folder))))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return open_source(Options(model=str(save_trainable_bert(tmp_path_factory.mktemp("one")))))


def learn(source, work, *, progress=lambda _done, _total: None, n=200, schedule=SCHEDULE):
    tokenizer = load_tokenizer(source)
    learnt = write_blocks(sentences(n), tokenizer, max_tokens=32, file=work / "learnt")
    held = write_blocks(sentences(40, seed=9), tokenizer, max_tokens=32, file=work / "held")
    return train_language(
        source, learnt, held, schedule=schedule, mask_share=0.15, head_steps=10,
        work=work, progress=progress,
    )  # fmt: skip


class TestBlocks:
    def test_long_texts_are_cut_and_no_block_holds_two_texts(self, bert, tmp_path) -> None:
        tokenizer = load_tokenizer(bert)
        words = TOPICS["sea"] * 3
        texts = [" ".join(words), "king queen", "", "pawn"]
        blocks = write_blocks(texts, tokenizer, max_tokens=12, file=tmp_path / "t")
        read = [tokenizer.decode(blocks[n]["input_ids"]).split() for n in range(len(blocks))]
        assert all(block[0] == "[CLS]" and block[-1] == "[SEP]" for block in read)
        inner = [block[1:-1] for block in read]
        assert [word for block in inner[:3] for word in block] == words
        assert inner[3:] == [["king", "queen"]]  # a single word teaches nothing

    def test_no_texts_give_no_blocks(self, bert, tmp_path) -> None:
        assert len(write_blocks([], load_tokenizer(bert), max_tokens=9, file=tmp_path / "t")) == 0


class TestLanguage:
    def test_what_was_held_out_is_told_better_afterwards(self, source, tmp_path) -> None:
        steps: list[tuple[int, int]] = []
        result = learn(source, tmp_path, progress=lambda done, total: steps.append((done, total)))
        assert result.objective == ("causal" if source.is_decoder else "masked")
        assert steps[-1] == (result.steps, result.steps) == (50, 50)
        assert result.loss_after < result.loss_before - 0.1

    def test_a_killed_training_goes_on_from_its_last_checkpoint(self, bert, tmp_path) -> None:
        def die(done: int, _total: int) -> None:
            if done == 23:
                raise Killed

        with pytest.raises(Killed):
            learn(bert, tmp_path, progress=die)
        (tmp_path / "run" / "checkpoint-22").mkdir()  # half of one, as a kill leaves it
        seen: list[int] = []
        result = learn(bert, tmp_path, progress=lambda done, _total: seen.append(done))
        assert (seen[0], seen[-1], result.steps) == (20, 50, 50)
        assert not (tmp_path / "run" / "checkpoint-22").exists()

    def test_the_same_seed_gives_the_same_model(self, bert, tmp_path) -> None:
        first, second = (learn(bert, tmp_path / name, n=60) for name in ("a", "b"))
        assert first.loss_after == second.loss_after

    def test_the_loss_is_that_of_the_model_itself(self, source) -> None:
        """Only the scores of the tokens that are asked for are computed; the loss is the same."""
        import torch

        from plmrec.encoders._training_lm import _collator, _load, _loss_of

        tokenizer = load_tokenizer(source)
        model, _ = _load(source)
        texts = [{"input_ids": tokenizer(text)["input_ids"]} for text in sentences(8)]
        batch = _collator(source, tokenizer, 0.3, seed=1)(texts)
        with torch.inference_mode():
            loss, n_asked = _loss_of(model.eval(), batch, source.is_decoder)
            theirs = model(**batch).loss
        assert n_asked > 8
        assert float(loss) == pytest.approx(float(theirs), rel=1e-5)
        nothing = {**batch, "labels": torch.full_like(batch["labels"], -100)}
        loss, n_asked = _loss_of(model, nothing, source.is_decoder)
        assert (float(loss), n_asked) == (0.0, 0)

    def test_a_model_without_a_mask_token_is_refused(self, tmp_path) -> None:
        source = open_source(Options(model=str(save_bert(tmp_path / "model"))))
        with pytest.raises(BackendUnavailableError, match="mask token"):
            learn(source, tmp_path)


class TestPairs:
    def test_texts_that_go_together_come_nearer_than_others(self, source, tmp_path) -> None:
        # words of two topics that nothing but the pairs brings together
        sea, bread, chess, _ = TOPICS.values()
        pairs = [
            (f"{a} {b}", f"{c} {d}")
            for a, b, c, d in zip(sea, sea[1:] + sea[:1], bread, bread[3:] + bread[:3], strict=True)
        ] * 4
        pairs += [(f"{a} {b}", f"{b} {a}") for a, b in itertools.pairwise(chess)] * 4
        body = train_pairs(
            source, pairs, schedule=SCHEDULE, max_tokens=32, scale=20.0, work=tmp_path / "w",
            progress=lambda _done, _total: None,
        )  # fmt: skip
        folder = tmp_path / "new"
        save_encoder(source, body, folder, {})

        def gap(model: str) -> float:
            encoder = build_backend("encoders", "transformer", {"model": model})
            one, two = (encoder.encode([pair[side] for pair in pairs[:10]]) for side in (0, 1))
            other = encoder.encode([first for first, _ in pairs[-9:]])
            return float((one * two).sum(axis=1).mean() - (one @ other.T).mean())

        assert gap(str(folder)) > gap(str(source.folder.path)) + 0.2

    def test_a_killed_training_goes_on(self, bert, tmp_path) -> None:
        pairs = [(a, b) for a, b in zip(sentences(80), sentences(80, seed=5), strict=True)]

        def run(progress):
            return train_pairs(
                bert, pairs, schedule=SCHEDULE, max_tokens=32, scale=20.0, work=tmp_path,
                progress=progress,
            )  # fmt: skip

        def die(done: int, _total: int) -> None:
            if done == 9:
                raise Killed

        with pytest.raises(Killed):
            run(die)
        seen: list[int] = []
        run(lambda done, _total: seen.append(done))
        assert (seen[0], seen[-1]) == (8, 20)


class TestSaving:
    @pytest.mark.parametrize("pooling", ["mean", "cls"])
    def test_the_new_folder_gives_the_vectors_of_the_model_it_holds(
        self, tmp_path, pooling
    ) -> None:
        """Without files of its own, the new one says how the old one pooled."""
        origin = save_trainable_bert(tmp_path / "old", with_sentence_files=False)
        options = {"model": str(origin), "pooling": pooling}
        source = open_source(Options(**options))
        from transformers import AutoModel

        save_encoder(source, AutoModel.from_pretrained(origin), tmp_path / "new", {"a": 1})
        texts = ["king queen rook", "whale tide"]
        old, new = (
            build_backend("encoders", "transformer", {**each, "dtype": "float32"})
            for each in (options, {"model": str(tmp_path / "new")})
        )
        np.testing.assert_allclose(new.encode(texts), old.encode(texts), atol=1e-5)
        assert json.loads((tmp_path / "new" / "plmrec.json").read_text()) == {"a": 1}
        assert not list((tmp_path / "new").glob("*.bin"))

    def test_sentence_transformers_reads_it_too(self, tmp_path) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers import AutoModel

        origin = save_trainable_bert(tmp_path / "old", with_sentence_files=False)
        source = open_source(Options(model=str(origin)))
        save_encoder(source, AutoModel.from_pretrained(origin), tmp_path / "new", {})
        theirs = SentenceTransformer(str(tmp_path / "new")).encode(["king queen"])
        options = {"model": str(tmp_path / "new"), "dtype": "float32"}
        ours = build_backend("encoders", "transformer", options)
        np.testing.assert_allclose(ours.encode(["king queen"]), theirs, atol=1e-5)

    def test_a_folder_that_is_there_is_never_written_over(self, bert, tmp_path) -> None:
        with pytest.raises(ParamsError, match="expected no folder"):
            save_encoder(bert, None, tmp_path, {})


def test_half_a_checkpoint_is_none(tmp_path) -> None:
    for step in (5, 10, 15):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-20").mkdir()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-15")
    assert not (tmp_path / "checkpoint-20").exists()
    shutil.rmtree(tmp_path)
    assert last_checkpoint(tmp_path) is None
