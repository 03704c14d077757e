"""microburst between the functions and the local AWS: it fails the calls that its rules name."""

import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ops.local_stack import MINISTACK_BIN, LocalStack, free_port, supervised

READY_SECONDS_MAX = 30
COUNTER = re.compile(
    r'microburst_faults_total\{service="(.+)",operation="(.+)",action="(.+)"\} (\d+)'
)
Call = tuple[str, str]
"""Service and operation."""
EVERY_CALL: Mapping[str, object] = {"service": "*"}
"""As the last rule it fails nothing, and so counts the calls that went through."""


@dataclass(frozen=True)
class Microburst:
    endpoint_url: str

    def obey(self, rules: Sequence[Mapping[str, object]]) -> None:
        """These rules from now on; of several that fit a call the first one strikes."""
        self._ask("rules", json.dumps(list(rules)).encode())

    def counted(self) -> Counter[tuple[Call, str]]:
        """How often which call was struck by what, since the start."""
        found = COUNTER.findall(self._ask("metrics").decode())
        return Counter({((service, name), what): int(n) for service, name, what, n in found})

    def requests_seen(self) -> int:
        return int(json.loads(self._ask("health"))["requests_seen"])

    def _ask(self, what: str, data: bytes | None = None) -> bytes:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.endpoint_url}/_microburst/{what}", data, timeout=5) as answer:
            return bytes(answer.read())


@contextmanager
def microburst_before(stack: LocalStack) -> Iterator[Microburst]:
    """One that passes everything on until it is told otherwise."""
    port = free_port()
    proxy = Microburst(f"http://127.0.0.1:{port}")
    command = [MINISTACK_BIN / "microburst", "--port", str(port), "--upstream", stack.endpoint_url]
    with supervised(command, stack.folder / "microburst.log", {}) as run:
        give_up_at = time.monotonic() + READY_SECONDS_MAX
        while True:
            with suppress(OSError):
                proxy.requests_seen()
                break
            assert run.poll() is None
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
        yield proxy


@contextmanager
def between_functions_and_aws(
    stack: LocalStack, proxy_url: str, vendors: Sequence[str]
) -> Iterator[None]:
    """Every function of the stack reaches AWS through this proxy, and the vendors directly.

    Not by AWS_ENDPOINT_URL: requests are signed for their host, which must stay the stack's own.
    """
    client = stack.session().client("lambda")
    names = [name for key, name in stack.outputs.items() if key.endswith("FunctionName")]
    before = {
        name: client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        for name in names
    }

    def set_all(more: Mapping[str, str]) -> None:
        for name, own in before.items():
            client.update_function_configuration(
                FunctionName=name, Environment={"Variables": {**own, **more}}
            )

    apart = ",".join(urlsplit(address).netloc for address in vendors)
    set_all({"http_proxy": proxy_url, "no_proxy": apart})
    try:
        yield
    finally:
        set_all({})
