"""What the three simulators share: from a received request, through faults, to a reply.

A vendor adds its table of routes, its switches, its way of refusing, and what people can do
in its own user interface. All of it runs under one lock, so each commit is whole.
"""

import random
import sys
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, ClassVar

from . import control, faults, routes, server
from .clock import Clock, millis
from .journal import Journal
from .switches import Presets, Switch, Switches
from .wire import Json, Refused, Reply, Request, encode


@dataclass(frozen=True)
class Outgoing:
    """Bytes for the client, or None to say nothing; then perhaps the end of the connection."""

    data: bytes | None
    closes: bool = False
    pause_seconds: float = 0.0  # before the bytes go out
    drip_seconds: float = 0.0  # after each of them


class Simulator(ABC):
    vendor: ClassVar[str]
    api_path: ClassVar[str] = ""  # what the vendor's documented base URL ends in
    default_key: ClassVar[str]
    id_field: ClassVar[str] = "id"
    SWITCHES: ClassVar[Mapping[str, Switch]]
    PRESETS: ClassVar[Presets] = {}
    ROUTES: ClassVar[tuple[routes.Route, ...]]
    ACTS: ClassVar[Mapping[str, Callable[..., Any]]]  # what else a person can do to an issue

    def __init__(
        self,
        api_key: str | None = None,
        switches: Mapping[str, object] | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        self.api_key = api_key or self.default_key
        self.clock = clock or Clock()
        self.random = random.Random(seed)  # noqa: S311 - ids that repeat from run to run
        self.lock = RLock()
        self.switches = Switches(self.SWITCHES, self.PRESETS)
        self.switches.set(switches or {})
        self.faults: faults.Faults = faults.Faults()
        self.violations: list[str] = []
        self.rows: dict[str, Json] = {}  # replaced row by row, never changed in place
        self.base_url = ""
        self._journal = Journal()
        self._admitted: deque[datetime] = deque()
        self._last_pages: dict[str, Reply] = {}

    # What a vendor adds.

    @abstractmethod
    def auth_state(self, request: Request) -> str:
        """`ok`, `wrong` or `missing`."""

    @abstractmethod
    def error(self, status: int, code: str | None = None, message: str | None = None) -> Reply:
        """An error in the vendor's own envelope; None takes its usual words."""

    @abstractmethod
    def empty_list(self, reply: Reply) -> Reply:
        """The same list reply, without rows."""

    @abstractmethod
    def add(self, **fields: Any) -> Json:
        """A person (or an alert) reports an issue at the vendor; any field can be given."""

    @abstractmethod
    def edit(self, issue_id: str, **fields: Any) -> Json:
        """A person edits in the vendor's user interface, with any words at all."""

    @abstractmethod
    def remove(self, issue_id: str) -> None:
        """A person deletes there."""

    def admit(self, request: Request) -> None:
        """Refuse a caller who may not come in."""
        if self.auth_state(request) != "ok":
            raise Refused(self.error(401))

    @abstractmethod
    def settle(self) -> None:
        """Let everything happen that is due by the clock."""

    def invalid(self, request: Request, problems: Mapping[str, str]) -> Refused:
        """A value outside what is documented: a violation, and a 400."""
        for name, problem in problems.items():
            self.violations.append(f"{request.method} {request.path}: {name} {problem}")
        message = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        return Refused(self.error(400, message=message))

    # What a test or the demo uses.

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Serve on 127.0.0.1 until the block ends; gives the base URL, without `api_path`."""
        with server.listening(self, port) as self.base_url:
            yield self.base_url

    @property
    def api_url(self) -> str:
        return self.base_url + self.api_path

    @property
    def issues(self) -> dict[str, Json]:
        with self.lock:
            self.settle()
            return dict(self.rows)

    @property
    def requests(self) -> list[Json]:
        return list(self._journal.entries)

    def writes(self) -> list[Json]:
        return self._journal.writes()

    def clear_requests(self) -> None:
        with self.lock:
            self._journal.entries.clear()

    def clear_violations(self) -> None:
        with self.lock:
            self.violations.clear()

    def set_switches(self, **values: object) -> None:
        with self.lock:
            self.settle()
            self.switches.set(values)

    def advance(self, seconds: float) -> None:
        with self.lock:
            self.clock.advance(seconds)
            self.settle()

    def act(self, issue_id: str, name: str, **fields: Any) -> Any:
        """Anything else a person does there; the vendor's ACTS lists what there is."""
        with self.lock:
            self.settle()
            return self.ACTS[name](self, issue_id, **fields)

    def state(self) -> Json:
        return {
            "vendor": self.vendor,
            "now": millis(self.clock.now()),
            "issues": self.issues,
            "switches": dict(self.switches),
            "faults": self.faults.listed(),
            "violations": list(self.violations),
        }

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # From a request to a reply.

    def receive(self, request: Request) -> Outgoing:
        if request.path.startswith(control.PREFIX):
            with self.lock:
                return Outgoing(encode(control.answer(self, request), self.clock.now()))
        with self.lock:
            entry = self._journal.note(request, self.auth_state(request), self.clock.now())
            fault = self.faults.strike(request)
            entry["fault"] = fault.kind if fault else None
        if fault and fault.kind == "drop_before":
            return Outgoing(None, closes=True, pause_seconds=fault.seconds)
        if fault and fault.kind == "late_success":
            time.sleep(fault.seconds)
        with self.lock:
            reply = self._instead(fault) or self._work(request, entry)
            return self._send(request, reply, entry, fault)

    def _instead(self, fault: faults.Fault | None) -> Reply | None:
        if fault and fault.kind == "status":
            return faults.error_reply(fault, self.error, self.clock.now())
        return self.error(401) if fault and fault.kind == "unauthorized" else None

    def _work(self, request: Request, entry: Json) -> Reply:
        try:
            reply = self._answer(request)
        except Refused as refused:
            return refused.reply
        except Exception:  # noqa: BLE001 - the border of a handler: a test must see the crash
            traceback.print_exc(file=sys.stderr)
            self.violations.append(f"{request.method} {request.path}: the simulator crashed")
            return self.error(500)
        entry["committed"] = request.method != "GET" and reply.status < 400
        return reply

    def _answer(self, request: Request) -> Reply:
        self.settle()
        found = routes.find(self.ROUTES, request)
        self.violations.extend(routes.undocumented(found, request, self.api_key))
        self.admit(request)
        self._meter()
        if found.route is None:
            raise Refused(self.error(self.switches["wrong_method"] if found.is_known_path else 404))
        self._refuse_unknown(found.route, request)
        return found.route.handler(self, request, **found.params)

    def _meter(self) -> None:
        quota, now = self.switches["quota"], self.clock.now()
        window = timedelta(seconds=self.switches["quota_window_seconds"])
        while self._admitted and self._admitted[0] <= now - window:
            self._admitted.popleft()
        if quota and len(self._admitted) >= quota:
            wait = (self._admitted[0] + window - now).total_seconds()
            raise Refused(self._too_many(wait))
        self._admitted.append(now)

    def _too_many(self, wait_seconds: float) -> Reply:
        form, reply = self.switches["quota_retry_after"], self.error(429)
        if form == "none":
            return reply
        whole = int(wait_seconds) + 1
        headers = {**reply.headers, **faults.retry_after(whole, form, self.clock.now())}
        return Reply(429, reply.body, headers, reply.raw, reply.content_type)

    def _refuse_unknown(self, route: routes.Route, request: Request) -> None:
        if not request.is_json or not isinstance(request.body, (dict, type(None))):
            raise Refused(self.error(400, message="The body must be a JSON object"))
        unknown = {
            "unknown_query": routes.unknown_query(route, request),
            route.extra_fields: routes.unknown_fields(route, request),
        }
        for switch, names in unknown.items():
            if names and self.switches[switch] == "reject":
                message = "; ".join(f"{name}: is not known" for name in names)
                raise Refused(self.error(400, message=message))

    def _send(
        self, request: Request, reply: Reply, entry: Json, fault: faults.Fault | None
    ) -> Outgoing:
        kind = fault.kind if fault else ""
        if kind == "drop_after":
            return Outgoing(None, closes=True)
        reply = self._distorted(request, reply, fault)
        entry["status"] = reply.status
        if kind == "half_body":
            half = encode(reply, self.clock.now(), lambda body: body[: len(body) // 2])
            return Outgoing(half, closes=True)
        seconds = fault.seconds if fault else 0.0
        return Outgoing(
            encode(reply, self.clock.now()),
            pause_seconds=seconds if kind == "slow" else 0.0,
            drip_seconds=seconds if kind == "drip" else 0.0,
        )

    def _distorted(self, request: Request, reply: Reply, fault: faults.Fault | None) -> Reply:
        kind, is_page = (fault.kind if fault else ""), reply.status == 200 and self._lists(request)
        if fault and kind == "wrong_json":
            return faults.broken_json(reply, fault.body)
        if kind == "empty_list" and is_page:
            return self.empty_list(reply)
        if kind == "duplicate_page" and is_page:
            return self._last_pages.get(request.path, reply)
        if is_page:
            self._last_pages[request.path] = reply
        return reply

    def _lists(self, request: Request) -> bool:
        route = routes.find(self.ROUTES, request).route
        return route is not None and route.lists
