"""File names made of ids that may hold anything: slashes, dots, quotes, any script."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from urllib.parse import quote, unquote

_MAX_BYTES: Final = 200  # file systems take 255, suffixes and temporary names need some
_CUT: Final = "~"  # stands in no quoted id


def file_name_of(key: str) -> str:
    """Make a file name, different for different keys, that is safe on every file system.

    Letters, digits, ``-`` and ``_`` stay, all else becomes ``%XX``. A name that grows too long
    is cut and ends in a digest of the key; only such a name cannot be turned back.

    Example:
        >>> file_name_of("a/b.c"), file_name_of("..")
        ('a%2Fb%2Ec', '%2E%2E')
    """
    name = quote(key, safe="", errors="surrogatepass")
    name = name.replace(".", "%2E").replace(_CUT, "%7E")
    if not name:
        return "%"
    if len(name) <= _MAX_BYTES:
        return name
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{name[: _MAX_BYTES - 40]}{_CUT}{digest}"


def key_of(name: str) -> str | None:
    """Turn a name back into its key; None for a name that was cut.

    Example:
        >>> key_of("a%2Fb%2Ec")
        'a/b.c'
    """
    if _CUT in name:
        return None
    return "" if name == "%" else unquote(name, errors="surrogatepass")
