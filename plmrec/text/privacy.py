"""Personal data in texts: found, and masked by a word that says what stood there.

What looks like personal data is looked up with cheap patterns first; only what passes them is
shown to the libraries that know the rules of numbers and addresses. A number is masked when its
form or the words before it say what it is: years, prices, dates, book numbers and film titles
stay as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

VERSION: Final = 1  # raise it when the same text is masked in another way
KINDS: Final = ("email", "account", "card", "address", "phone")
PLACEHOLDERS: Final = {kind: f"[{kind}]" for kind in KINDS}

_REGIONS: Final = ("GB", "DE", "FR")  # whose numbers begin with 0 at home; those of the US: _PHONE
_LOOKUPS: Final = 1000  # of each kind and text; what looks alike beyond is masked unchecked
_MAX_LOCAL: Final = 64  # characters of an e-mail address before the @, RFC 5321
_WINDOW: Final = 110  # characters an address may have before its postcode

_LOCAL_BACKWARDS: Final = re.compile(r"[\w.+%'-]*[\w+%-]")
_DOMAIN: Final = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_SPOKEN_EMAIL: Final = re.compile(
    r"\b(?:\w{1,40} (?:dot|underscore|dash) ){0,3}\w{1,40} at (?:\w{1,40} dot ){1,3}"
    r"(?:com|org|net|edu|gov|info|io|tv|co|uk|de|fr|eu|ca)\b",
    re.IGNORECASE,
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_LENGTHS: Final = (  # of an account number in each country of IBAN
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
    "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 "
    "TN24 TR26 UA29 VA22 VG24 XK20"
)
_IBAN_LENGTHS: Final = {word[:2]: int(word[2:]) for word in _LENGTHS.split()}
_ACCOUNT: Final = re.compile(
    r"\b(?:(?:account|acct|a/c|routing|konto|compte)(?:[ -]?(?:number|numéro|nummer|num|no|nr|n°))?"
    r"|sort code)\b[.:# ]{0,4}(?:is |ist |est )?(\d(?:[ -]?\d){5,19})\b",
    re.IGNORECASE,
)
_CARD: Final = re.compile(
    r"(?<![\d.,-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -]?)\d{6}\2\d{4,5}|\d{13,19})"
    r"(?!\d)"
)
_ISSUERS: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d+"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17}"
    r"|(?:50|5[6-9]|6\d)\d{10,17}"
)
_PHONE: Final = re.compile(
    r"(?<![\w.,/+-])(?:"
    r"(?P<abroad>\+\d{1,3}(?:[ ./-]?(?:\(\d{1,5}\)|\d{1,12})){1,7})"
    r"|(?P<us>(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4})"
    r"|(?P<home>\(?0\d{1,11}\)?(?:[ ./-]{1,2}\d{1,10}){1,4})"
    r")(?![\w]|[.,/-]\d)"
)
_CALLED: Final = re.compile(
    r"\b(?:tel|telephone|telefon|téléphone|teléfono|phone|call(?: me| us)?|ring(?: me| us)?|mobile"
    r"|cell|fax|whatsapp|dial|hotline|handy|ruf(?:nummer)?|appelez|llame)\b"
    r"[.:]?(?: (?:me|us|number|no|nr|at|on|is|an|ist|au|al)\b\.?){0,3}[: ]{0,2}"
    r"(\(?\d(?:[ ()./-]{0,2}\d){6,14})(?!\d)",
    re.IGNORECASE,
)
_YEARS: Final = re.compile(r"(?:1\d|20)\d\d ?[-/ ] ?(?:(?:1\d|20)\d\d|\d\d)(?:\D.*)?")
_DATE: Final = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?(?:\D.*)?|\d\d?[-./]\d\d?[-./](?:19|20)\d\d.*")
_THOUSANDS: Final = re.compile(r"\+?\d{1,3}(?:[.,]\d{3})+")
_BOOK: Final = re.compile(r"(?:isbn|issn|doi|ean|asin|imdb)[^a-z]{0,12}\Z", re.IGNORECASE)

_STREETS: Final = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq"
    r"|terrace|way|highway|hwy|parkway|pkwy|freeway|close|crescent|gardens|row|mews|circle|trail)"
)
_HOUSE: Final = re.compile(
    rf"(?:\b\d{{1,6}}[a-z]?,? (?:[\w.'’-]{{1,25}} ){{0,5}}{_STREETS}\b|\bp\.? ?o\.? ?box \d)",  # noqa: RUF001
    re.IGNORECASE,
)
_POSTCODES: Final = (
    (
        "US",
        re.compile(r"\b(?:[A-Z]{2}|[A-Z][a-z]{3,12}(?: [A-Z][a-z]{3,9})?),? \d{5}(?:-\d{4})?\b"),
    ),
    ("GB", re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")),
    ("CA", re.compile(r"\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b")),
)
_CONTINENTAL_POSTCODE: Final = re.compile(r"\b\d{4,5} [A-ZÀ-Ý]")
_CITY: Final = r"[^\W\d_]{2,30}(?:[ -][A-ZÀ-Ý][^\W\d_]{1,30}){0,2}"
_CONTINENTAL: Final = re.compile(
    r"\b(?:"
    r"(?:[A-ZÄÖÜ][\w.-]{0,30} ){0,3}[\w.-]{0,30}(?:[Ss]traße|[Ss]trasse|[Ss]tr\.|weg|gasse"
    r"|[Pp]latz|[Aa]llee|[Rr]ing|[Dd]amm|[Uu]fer) \d{1,4} ?[a-z]?,? (?:D-|DE-|A-|CH-)?\d{4,5}"
    r"|\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|impasse|allée|quai|cours)"
    r" [^\d\n]{2,50}?,? (?:F-)?\d{5}"
    rf") [A-ZÀ-Ý]{_CITY}"
)
_HINT: Final = re.compile(r"[\d@]| dot ", re.IGNORECASE)  # without one there is nothing to mask
_LETTER_OR_DIGIT: Final = re.compile(r"[A-Z0-9]")
_GROUP_END: Final = re.compile(r"\d(?!\d)\)?")
_DIGITS: Final = re.compile(r"\D+")


class Masked(NamedTuple):
    """A text without its personal data.

    Attributes:
        text: The text, a placeholder such as ``[email]`` where personal data stood.
        counts: How many there were of each kind of ``KINDS``; kinds without any are not named.
    """

    text: str
    counts: dict[str, int]


class _Span(NamedTuple):
    start: int
    end: int
    kind: str


_Finder: TypeAlias = Callable[[str], Iterator[tuple[int, int]]]


def mask_text(text: str) -> Masked:
    """Mask e-mail addresses, account, card and telephone numbers, and postal addresses.

    Telephone numbers are known by their form (international, or as the United States, the United
    Kingdom, Germany and France write them) or by a word such as "call" before them; postal
    addresses by street, number and postcode together, as in these countries and Canada.

    Args:
        text: Any text; one of 10 MB takes seconds.

    Example:
        >>> mask_text("Write to ann@example.org or call 212-555-0187, 9 to 5.").text
        'Write to [email] or call [phone], 9 to 5.'
        >>> mask_text("2001: A Space Odyssey (1968), 1939-1945, 10.000 B.C.").counts
        {}
    """
    masked, counts = mask_texts([text])
    return Masked(masked[0], counts)


def mask_texts(texts: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Mask texts that follow one another, such as segments of speech; see ``mask_text``.

    What begins in one text and ends in a later one is masked, too: its placeholder stands where
    it begins.

    Returns:
        As many texts, and the counts by kind over all of them.
    """
    joined = " ".join(texts)
    spans = _find(joined) if _HINT.search(joined) else []
    if not spans:
        return list(texts), {}
    starts = _starts(texts)
    pieces: list[list[str]] = [[] for _ in texts]
    done = 0
    for start, end, kind in spans:
        _copy(pieces, starts, joined, done, start)
        pieces[bisect_right(starts, start) - 1].append(PLACEHOLDERS[kind])
        done = end
    _copy(pieces, starts, joined, done, len(joined))
    counts = Counter(span.kind for span in spans)
    return ["".join(parts) for parts in pieces], {k: counts[k] for k in KINDS if counts[k]}


def _starts(texts: Sequence[str]) -> list[int]:
    """Where each text begins when they are joined by one space."""
    return [0, *accumulate(len(text) + 1 for text in texts)][: len(texts)]


def _copy(pieces: list[list[str]], starts: list[int], joined: str, start: int, end: int) -> None:
    """Give a stretch of the joined texts back to the texts it is from, without the joints."""
    place = bisect_right(starts, start) - 1
    while start < end:
        border = starts[place + 1] - 1 if place + 1 < len(starts) else len(joined)
        pieces[place].append(joined[start : min(end, border)])
        start, place = border + 1, place + 1


def _find(text: str) -> list[_Span]:
    """Spans of personal data, sorted, apart from each other; the first kind to claim one wins."""
    finders: tuple[tuple[str, _Finder], ...] = (
        ("email", _emails),
        ("account", _accounts),
        ("card", _cards),
        ("address", _addresses),
        ("phone", _phones),
    )
    taken: list[_Span] = []
    for kind, finder in finders:
        starts = [span.start for span in taken]
        found: list[_Span] = []
        for start, end in sorted(finder(text)):
            place = bisect_right(starts, start) - 1
            before = max(taken[place].end if place >= 0 else 0, found[-1].end if found else 0)
            after = starts[place + 1] if place + 1 < len(starts) else len(text)
            if start >= before and end <= after:
                found.append(_Span(start, end, kind))
        taken = sorted([*taken, *found])
    return taken


def _emails(text: str) -> Iterator[tuple[int, int]]:
    place = text.find("@")
    while place >= 0:
        before = _LOCAL_BACKWARDS.match(text[max(place - _MAX_LOCAL, 0) : place][::-1])
        domain = _DOMAIN.match(text, place + 1)
        if before and domain:
            yield place - before.end(), domain.end()
        place = text.find("@", place + 1)
    if " dot " in text.casefold():
        for match in _SPOKEN_EMAIL.finditer(text):
            yield match.span()


def _accounts(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match.group()[:2], 0)
        ends = [found.end() for found in _LETTER_OR_DIGIT.finditer(match.group())]
        if 0 < length <= len(ends) and _is_iban(match.group()[: ends[length - 1]].replace(" ", "")):
            yield match.start(), match.start() + ends[length - 1]
    for match in _ACCOUNT.finditer(text):
        yield match.span(1)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        number = _DIGITS.sub("", match.group())
        if _ISSUERS.fullmatch(number) and _is_card(number):
            yield match.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for match in _CONTINENTAL_POSTCODE.finditer(text):
        first = max(match.start() - _WINDOW, done)
        if any(map(str.isdigit, text[first : match.start()])):
            known = _CONTINENTAL.search(text, first, match.end() + _WINDOW)
            if known:
                yield known.span()
                done = known.end()
    for country, postcode in _POSTCODES:
        done, lookups = 0, 0
        for match in postcode.finditer(text):
            first = max(match.start() - _WINDOW, done)
            window = text[first : match.end()]
            house = _last(_HOUSE, text[first : match.start()])
            span = (first + house.start(), match.end()) if house else None
            if span is None and lookups < _LOOKUPS and re.search(r"\d+\w? \w", window[:-6]):
                lookups += 1
                place = _known_address(window, country)
                span = (first + place[0], first + place[1]) if place else None
            if span:
                done = match.end()
                yield span


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def _phones(text: str) -> Iterator[tuple[int, int]]:
    lookups, match = 0, _PHONE.search(text)
    while match:
        start, number = match.start(), match.group()
        if _is_other_number(text, start, number):
            number = ""
        elif match["home"]:
            lookups += 1
            number = _home_number(number) if lookups <= _LOOKUPS else _cut_number(number)
        elif match["us"] and set(_DIGITS.findall(number)) == {" "}:
            number = ""  # three numbers side by side, unless a word before says otherwise
        if 7 <= len(_DIGITS.sub("", number)) <= 15:
            yield start, start + len(number)
            match = _PHONE.search(text, start + len(number))
        else:
            first = _GROUP_END.search(text, start)
            match = _PHONE.search(text, first.end() if first else match.end())
    for match in _CALLED.finditer(text):
        if not _is_other_number(text, match.start(1), match[1]):
            yield match.span(1)


def _is_other_number(text: str, start: int, number: str) -> bool:
    """Tell whether a number is a span of years, a date, an amount or the number of a book."""
    if any(form.fullmatch(number) for form in (_YEARS, _DATE, _THOUSANDS)):
        return True
    return _BOOK.search(text, max(start - 24, 0), start) is not None


def _is_iban(number: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(number))


def _is_card(number: str) -> bool:
    from stdnum import luhn

    return bool(luhn.is_valid(number)) and len(set(number)) > 1


@lru_cache(maxsize=4096)
def _home_number(number: str) -> str:
    """The longest start of a number with a leading 0 that is valid and grouped as at home."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    for end in reversed([group.end() for group in _GROUP_END.finditer(number)]):
        for region in _REGIONS:
            if PhoneNumberMatcher(
                number[:end], region, leniency=Leniency.STRICT_GROUPING
            ).has_next():
                return number[:end]
    return ""


def _cut_number(number: str) -> str:
    """Groups of digits from the left, as many as a telephone number at home may have."""
    ends = [group.end() for group in _GROUP_END.finditer(number)]
    return number[: max((end for end in ends if end <= 14), default=ends[0])]


@lru_cache(maxsize=4096)
def _known_address(text: str, country: str) -> tuple[int, int] | None:
    """Where an address lies in a text, as pyap knows them; None without any."""
    import pyap

    found = pyap.parse(text, country=country)
    return (int(found[-1].match_start), int(found[-1].match_end)) if found else None
