"""A configuration that would make an item larger than may be kept is refused when it is pushed."""

from collections import Counter
from collections.abc import Iterator

from issuebridge.domain.config import Config
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.limits import CONFIG, RULES_MAX, TARGETS_MAX, WORD, stored_bytes


def check_size(config: Config, document: str) -> None:
    """`document` is what is stored of it."""
    if problems := list(_problems(config, len(document.encode()))):
        raise Misconfigured("; ".join(problems))


def _problems(config: Config, size: int) -> Iterator[str]:
    if size > CONFIG:
        yield (
            f"the configuration has {size:,} bytes as stored, and {CONFIG:,} are kept: shorten "
            "its maps, rules and certificates"
        )
    if len(config.norm.rules) > RULES_MAX:
        yield f"norm.rules: {len(config.norm.rules)} of them; {RULES_MAX} at most"
    targets = Counter(route.source for route in config.routes)
    for source, count in targets.items():
        if count > TARGETS_MAX:
            yield f"routes: {count} leave from {source}; {TARGETS_MAX} at most"
    for name, connection in config.connections.items():
        for field, words in connection.maps.items():
            if any(stored_bytes(word) > WORD for word in words):
                yield f"connections.{name}.maps.{field}: a word may have {WORD} bytes"
