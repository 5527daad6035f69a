"""Personal data is masked, and nothing else is."""

from __future__ import annotations

import json
import time

import pytest

from plmrec.text.privacy import mask_text, mask_texts


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Mail john.doe+x@mail.example.co.uk now", "Mail [email] now"),
        ("write to jane dot doe at example dot com", "write to [email]"),
        ("card 4111 1111 1111 1111, exp 12/27", "card [card], exp 12/27"),
        ("IBAN GB82 WEST 1234 5698 7654 32 PLEASE", "IBAN [account] PLEASE"),
        ("DE89370400440532013000", "[account]"),
        ("account number: 12345678", "account number: [account]"),
        ("+49 30 901820", "[phone]"),
        ("In Berlin 030 901820, in Paris 01 42 68 53 00", "In Berlin [phone], in Paris [phone]"),
        ("020 7946 0958 020 7946 0959", "[phone] [phone]"),
        ("(212) 555-2368 or 212-555-0187", "[phone] or [phone]"),
        ("call me at 555-1234", "call me at [phone]"),
        ("at 221B Baker Street, London NW1 6XE today", "at [address] today"),
        ("225 E. John Carpenter Freeway, Suite 1500 Irving, Texas 75062 or", "[address] or"),
        ("1600 Pennsylvania Avenue NW, Washington, DC 20500", "[address]"),
        ("Musterstraße 12, 10115 Berlin", "[address]"),
        ("12 rue de la Paix, 75002 Paris", "[address]"),
    ],
)
def test_personal_data_becomes_a_placeholder(text, masked):
    assert mask_text(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "2001: A Space Odyssey (1968)",
        "10.000 B.C.",
        "from 1914 - 1918 and 1939-1945",
        "call it the war of 1939-1945",
        "2012-10-11 12:30:11, also 20121011123000 and 1284101485",
        "00:01:02.500 --> 00:01:05.000",
        "ISBN 978-3-16-148410-0 and ISBN 0-306-40615-2",
        "$1.000.000, 12,345,678 or +100.000.000",
        "pi is 3.141592653",
        "84 Charing Cross Road",
        "A nightmare on 12 Elm Street in Springwood",
        "4111-1111-1111-1112 has a wrong check digit",
        "follow @nasa",
        "THX 1138",
    ],
)
def test_other_numbers_and_names_stay(text):
    assert mask_text(text) == (text, {})


def test_counts_are_by_kind():
    masked = mask_text("a@b.org, c@d.org, +49 30 901820")
    assert masked == ("[email], [email], [phone]", {"email": 2, "phone": 1})


def test_a_number_cut_by_two_segments_is_masked_where_it_begins():
    texts, counts = mask_texts(["", "call me at 212 555", "0187 now", "bye"])
    assert texts == ["", "call me at [phone]", " now", "bye"]
    assert counts == {"phone": 1}


def test_texts_without_any_come_back_as_they_are():
    assert mask_texts(["one", "", "two"]) == (["one", "", "two"], {})
    assert mask_texts([]) == ([], {})


@pytest.mark.parametrize(
    "piece",
    ["a", "1 ", "@", "0-", "GB82 ", "4111 1111 1111 1111 ", "+1 ", "9 Elm Street, Troy, NY 12180 "],
)
def test_no_text_takes_long(piece):
    text = (piece * (500_000 // len(piece)))[:500_000]
    started = time.perf_counter()
    mask_text(text)
    assert time.perf_counter() - started < 5


@pytest.mark.realdata
def test_nothing_in_plots_and_names_of_films_is_taken_for_personal_data(shared_data):
    with (shared_data / "ml100k" / "items.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = [row[name] or "" for row in rows for name in ("title", "description")]
    assert len(texts) > 3000
    assert [text for text in texts if mask_text(text).counts] == []
