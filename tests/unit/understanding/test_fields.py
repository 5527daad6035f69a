"""Language, summary, keywords and sentiment: what they find, and that no text breaks them."""

from __future__ import annotations

import time

import pytest

from plmrec.backends import build_backend
from plmrec.encoders.hashing import HashingEncoder, Options
from plmrec.understanding.base import Texts
from plmrec.understanding.corpus import count_words
from plmrec.understanding.words import phrases, sentences, words

ENCODER = HashingEncoder(Options())
ODD = [
    "",
    " \n\n ",
    "😀😀🎉 🎬",
    "spam " * 2000,
    "a" * 5000,
    "Привет world, 東京物語 مرحبا بالعالم हिन्दी and more words in between",
    "東京物語は小津安二郎監督の映画です。家族の話です。とても静かです。海が見えます。",
    "هذا فيلم عن البحر والأسرة. إنه هادئ وجميل جدا؟ نعم.",
    "[email] [phone] [email] [email]",
    "No stops at all " * 300,
    "0 1 2 3 4 5 6 7 8 9 10 11 12",
    "\u200b\u200e\ufeff\x00\ud7ff",
]


def documents(*texts: str) -> Texts:
    return Texts(
        texts=texts,
        languages=[None] * len(texts),
        vectors=ENCODER.encode(list(texts)),
        corpus=count_words(texts),
    )


def find_languages(*texts: str):
    return build_backend("understanding.language", "langid", {}).find(texts)


def judge(*texts: str, language: str | None = "en"):
    judge = build_backend("understanding.sentiment", "vader", {})
    return judge.judge(texts, [language] * len(texts))


def test_languages_have_a_code_and_a_probability():
    found = find_languages(
        "A quiet film about a family that lives by the sea.",
        "Ein stiller Film über eine Familie, die am Meer lebt.",
        "東京物語は小津安二郎監督の映画です。",
    )
    assert [each.code for each in found] == ["en", "de", "ja"]
    assert all(0.9 < each.confidence <= 1 for each in found)


@pytest.mark.parametrize("text", ["", "Alien", "😀😀🎉", "12345 67890 12345 67890", "[email] " * 9])
def test_text_with_too_few_words_has_no_language(text):
    assert find_languages(text) == [None]


def test_short_text_is_its_own_summary():
    found = build_backend("understanding.summary", "central", {}).summarise(
        documents("One sentence here.  And another one there."), ENCODER.encode
    )
    assert found == ["One sentence here. And another one there."]


def test_summary_takes_what_is_central_once_and_in_order():
    text = (
        "The whale swims in the deep blue ocean. My phone is broken. "
        "The blue whale swims in the deep ocean today. Whale songs travel far in the ocean. "
        "A whale calf swims beside its mother in the ocean. Lunch was late."
    )
    summarise = build_backend(
        "understanding.summary", "central", {"max_sentences": 2, "diversity": 0.5}
    ).summarise
    (found,) = summarise(documents(text), ENCODER.encode)
    chosen = sentences(found)
    assert len(chosen) == 2
    assert all("hale" in sentence for sentence in chosen)
    assert [text.index(sentence) for sentence in chosen] == sorted(map(text.index, chosen))
    assert {chosen[0], chosen[1]} != {
        sentences(text)[0],
        sentences(text)[2],
    }  # they say the same


def test_keywords_are_phrases_of_the_text_without_stop_words():
    texts = ["The sourdough starter is the heart of sourdough bread.", "The chess clock is on."]
    find = build_backend("understanding.keywords", "mmr", {}).find
    found = find(documents(*texts), ENCODER.encode)
    assert "sourdough" in found[0][0].text
    for text, keywords in zip(texts, found, strict=True):
        assert keywords
        for keyword in keywords:
            assert keyword.text in text.lower()
            assert not {keyword.text.split()[0], keyword.text.split()[-1]} & {"the", "is", "of"}
            assert 0 <= keyword.score <= 1


def test_each_candidate_of_a_batch_is_encoded_once_and_no_more_than_allowed():
    seen: list[str] = []

    def encode(texts):
        seen.extend(texts)
        return ENCODER.encode(texts)

    find = build_backend("understanding.keywords", "mmr", {"candidates": 4}).find
    find(documents(*["whales sing deep songs near cold islands"] * 20), encode)
    assert len(seen) == len(set(seen)) == 4


def test_sentiment_has_a_sign_and_is_told_of_english_alone():
    good, bad = judge("A wonderful, happy film. I love it.", "A terrible, boring mess. I hate it.")
    assert 0.5 < good <= 1
    assert -1 <= bad < -0.4
    assert judge("Ein wunderbarer Film.", language="de") == [None]


def test_a_text_of_unknown_language_counts_where_the_lexicon_knows_it():
    assert judge("Great!", language=None)[0] > 0.5
    assert judge("Qwxyz.", language=None) == [None]


def test_words_and_phrases_of_several_scripts():
    assert words("Don\u2019t look up, 2021! 東京物語") == [
        "don't",
        "look",
        "up",
        "東京",
        "京物",
        "物語",
    ]
    assert list(phrases("the red kite, a bird", 2)) == ["red", "red kite", "kite", "bird"]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_break_nothing(text):
    texts = documents(text)
    summary = build_backend("understanding.summary", "central", {}).summarise(texts, ENCODER.encode)
    keywords = build_backend("understanding.keywords", "mmr", {}).find(texts, ENCODER.encode)
    assert summary[0] is None or 0 < len(summary[0]) <= 600
    assert all(keyword.text.strip() for keyword in keywords[0])
    assert len(find_languages(text)) == 1
    assert len(judge(text)) == 1


def test_ten_megabytes_take_seconds_and_little_encoding():
    text = "A sentence about the sea and its whales number. " * 200_000
    encoded: list[str] = []

    def encode(texts):
        encoded.extend(texts)
        return ENCODER.encode(texts)

    started = time.perf_counter()
    texts = documents(text)
    build_backend("understanding.summary", "central", {}).summarise(texts, encode)
    build_backend("understanding.keywords", "mmr", {}).find(texts, encode)
    find_languages(text)
    judge(text)
    assert time.perf_counter() - started < 20
    assert len(encoded) < 100


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    from tests.support.tiny_understanding import save_classifier

    labels = ("negative", "neutral", "positive")
    return str(save_classifier(tmp_path_factory.mktemp("classifier"), labels))


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    from tests.support.tiny_understanding import save_t5

    return str(save_t5(tmp_path_factory.mktemp("t5")))


class TestTransformerModels:
    """Tiny models of the library, from a folder."""

    def test_a_classifier_judges_sentiment(self, classifier):
        backend = build_backend("understanding.sentiment", "transformer", {"model": classifier})
        texts = ["the space ship", "love and bread", "", "the space ship"]
        found = backend.judge(texts, [None] * 4)
        assert found[2] is None
        assert found[0] == found[3]
        assert all(-1 <= found[place] <= 1 for place in (0, 1))
        assert backend.made_by.split()[0].startswith("classifier")

    def test_a_classifier_tells_languages(self, classifier):
        backend = build_backend(
            "understanding.language", "transformer", {"model": classifier, "min_letters": 3}
        )
        found = backend.find(["the space ship and the sea", ""])
        assert found[0].code in {"negative", "neutral", "positive"}
        assert 1 / 3 <= found[0].confidence <= 1
        assert found[1] is None

    @pytest.mark.parametrize("field", ["summary", "keywords"])
    def test_a_sequence_to_sequence_model_writes(self, writer, field):
        backend = build_backend(f"understanding.{field}", "seq2seq", {"model": writer})
        texts = documents("the space ship and the crew", "")
        found = getattr(backend, {"summary": "summarise", "keywords": "find"}[field])(
            texts, ENCODER.encode
        )
        assert len(found) == 2
        assert not found[1]
        again = getattr(backend, {"summary": "summarise", "keywords": "find"}[field])(
            texts, ENCODER.encode
        )
        assert found == again

    def test_a_folder_without_safetensors_is_refused(self, tmp_path):
        from plmrec.errors import BackendUnavailableError

        backend = build_backend("understanding.summary", "seq2seq", {"model": str(tmp_path)})
        with pytest.raises(BackendUnavailableError, match="safetensors"):
            backend.summarise(documents("words"), ENCODER.encode)
