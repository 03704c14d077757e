"""A vendor's documented calls as a table, and what of a request is not in it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from .checks import texts_in
from .wire import Reply, Request

MENTION = re.compile("@norm", re.IGNORECASE)


@dataclass(frozen=True)
class Route:
    method: str
    path: str  # with {names}; a name matches one path part
    handler: Callable[..., Reply]
    query: frozenset[str] = frozenset()
    body: frozenset[str] = frozenset()
    extra_fields: str = "unknown_body_field"  # the switch that rules other body fields
    lists: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        found = _pattern(self.path).fullmatch(path)
        return found.groupdict() if found else None


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


@dataclass(frozen=True)
class Found:
    route: Route | None
    params: dict[str, str]
    is_known_path: bool


def find(routes: Iterable[Route], request: Request) -> Found:
    known = False
    for route in routes:
        params = route.match(request.path)
        if params is not None and route.method == request.method:
            return Found(route, params, True)
        known = known or params is not None
    return Found(None, {}, known)


def unknown_query(route: Route, request: Request) -> list[str]:
    return sorted(set(request.query) - route.query)


def unknown_fields(route: Route, request: Request) -> list[str]:
    return sorted(set(request.fields) - route.body)


def undocumented(found: Found, request: Request, api_key: str) -> Iterator[str]:
    """What the vendor's documents do not offer, each as one readable line."""
    where = f"{request.method} {request.path}"
    if any(MENTION.search(text) for text in _written(request)):
        yield f"{where}: the text contains @norm"
    if api_key in request.target:
        yield f"{request.method}: the API key is in the URL"
    if request.body is not None and "json" not in request.headers.get("content-type", ""):
        yield f"{where}: a body without content-type application/json"
    if not request.is_json:
        yield f"{where}: the body is no JSON"
    if found.route is None:
        yield f"{where}: no such {'method' if found.is_known_path else 'path'} is documented"
        return
    for name in unknown_query(found.route, request):
        yield f"{where}: query parameter {name!r} is not documented"
    for name in unknown_fields(found.route, request):
        yield f"{where}: body field {name!r} is not documented"


def _written(request: Request) -> Iterator[str]:
    if request.method != "GET":
        value: Any = request.body
        yield from texts_in(value if request.is_json else str(value))
