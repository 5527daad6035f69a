"""Small requests to our own services: JSON in and out, never through a proxy."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from plmrec.errors import PermanentError, ServiceUnavailableError

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class HttpStatusError(PermanentError):
    """A service answered, but refused; ``status`` says how."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def request(
    method: str,
    url: str,
    *,
    body: Any = None,
    token: str | None = None,
    accept: str = "application/json",
    timeout_s: float = 20.0,
) -> Any:
    """Send one request and return the JSON of its answer; None when the answer is empty.

    Raises:
        HttpStatusError: The service answered with a status of 400 or more.
        ServiceUnavailableError: It did not answer, or not with JSON.
    """
    headers = {"Accept": accept}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    sent = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    try:
        with _OPENER.open(sent, timeout=timeout_s) as answer:
            text = answer.read()
            return json.loads(text) if text.strip() else None
    except urllib.error.HTTPError as err:
        detail = err.read().decode("utf-8", "replace")[:300]
        raise HttpStatusError(
            f"{method} {url}: expected success, got {err.code} {detail}", status=err.code
        ) from err
    except (OSError, ValueError) as err:
        raise ServiceUnavailableError(f"{method} {url}: no answer: {err}") from err


def answers(url: str, *, timeout_s: float = 5.0) -> bool:
    """Tell whether a GET of the URL succeeds."""
    try:
        with _OPENER.open(url, timeout=timeout_s) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, ValueError):
        return False


def bypass_proxy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep requests to this machine away from a proxy that the environment names."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in environment.get(name, "").split(",") if host]
        missing = [host for host in ("127.0.0.1", "localhost", "::1") if host not in hosts]
        if missing and "*" not in hosts:
            environment[name] = ",".join([*hosts, *missing])
