"""Content digests: the identity of rows, files and stage outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, BinaryIO

_CHUNK = 1 << 20


def digest_json(value: Any) -> str:
    """Digest of a JSON value; key order does not matter, list order does.

    Args:
        value: None, bool, int, float, str, or lists and dicts of them; other types are
            digested by their ``str``.

    Returns:
        32 hexadecimal digits (BLAKE2b, 128 bit).

    Example:
        >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def digest_stream(stream: BinaryIO) -> str:
    """Digest of all bytes left in a stream, read in bounded memory."""
    state = blake2b(digest_size=16)
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    return state.hexdigest()


def digest_rows(rows: Iterable[tuple[str, str]]) -> str:
    """Digest of (key, row digest) pairs, whatever their order.

    Example:
        >>> digest_rows([("a", "1"), ("b", "2")]) == digest_rows([("b", "2"), ("a", "1")])
        True
    """
    state = blake2b(digest_size=16)
    for key, digest in sorted(rows):
        state.update(key.encode("utf-8", "surrogatepass") + b"\0" + digest.encode() + b"\0")
    return state.hexdigest()


def shard_of(key: str, n_shards: int) -> int:
    """Shard that a key belongs to: stable across processes, machines and Python versions.

    Returns:
        An integer in [0, n_shards).
    """
    return (
        int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        % n_shards
    )


def pseudonymise(user_id: str, key: str) -> str:
    """Pseudonym of a user for logs and tracking: stable under one key, not reversible without it.

    Args:
        user_id: Id as in the dataset.
        key: Secret; another key gives unrelated pseudonyms.

    Returns:
        ``u-`` and 16 hexadecimal digits.

    Example:
        >>> pseudonymise("anna", "k1") == pseudonymise("anna", "k1")
        True
    """
    secret = blake2b(key.encode(), digest_size=32).digest()
    data = user_id.encode("utf-8", "surrogatepass")
    return "u-" + blake2b(data, key=secret, digest_size=8).hexdigest()
