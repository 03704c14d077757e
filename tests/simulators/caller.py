"""A plain HTTP client with a vendor's headers: no retries, no redirects, no opinion."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from .simulator import Simulator

HEADERS: dict[str, dict[str, str]] = {
    "bland": {"authorization": "{key}"},
    "antimetal": {"authorization": "Bearer {key}", "antimetal-version": "2026-03-17"},
    "zylon": {"authorization": "Bearer {key}", "x-org": "default"},
}
Query = Mapping[str, object] | Iterable[tuple[str, object]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Caller:
    """`caller("GET", "/issues")` asks the simulator it was made for; paths go after `api_path`."""

    def __init__(self, simulator: Simulator, timeout_seconds: float = 10) -> None:
        self.headers = {
            name: value.format(key=simulator.api_key)
            for name, value in HEADERS[simulator.vendor].items()
        }
        self._api_path = simulator.api_path
        address = urlsplit(simulator.base_url).netloc
        self._connection = HTTPConnection(address, timeout=timeout_seconds)

    def __call__(
        self, method: str, path: str, body: object = None, query: Query = (), **headers: str | None
    ) -> Answer:
        """A header given as None is left out; underscores in its name stand for dashes."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {n: v for n, v in {**self.headers, **changed}.items() if v is not None}
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        if data is not None:
            sent = {"content-type": "application/json", **sent}
        pairs = urlencode(list(query.items() if isinstance(query, Mapping) else query))
        try:
            self._connection.request(
                method, self._api_path + path + (f"?{pairs}" if pairs else ""), data, sent
            )
            reply = self._connection.getresponse()
            text = reply.read().decode("utf-8", "replace")
        except BaseException:
            self._connection.close()  # the next call starts on a fresh one
            raise
        return Answer(reply.status, {n.lower(): v for n, v in reply.getheaders()}, text)

    def close(self) -> None:
        self._connection.close()
