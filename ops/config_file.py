"""The configuration file as a person wrote it: what YAML swallows, and what must not be in it."""

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from issuebridge.domain.config import Config
from issuebridge.domain.errors import Misconfigured
from issuebridge.systems import parse_config
from issuebridge.wiring import proven

WEEK_SECONDS = 604_800
YEAR_MINUTES = 525_600
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_LIKE_A_KEY = re.compile(r"(?=(?:[^\d]*\d){3})(?=.*[A-Za-z])[^/\s]{24,}")


class _Strict(yaml.SafeLoader):
    """Of two values under one key the last would win, and nobody would know."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[object] = set()
        for name, _ in node.value:
            key = (name.tag, name.value) if isinstance(name, yaml.ScalarNode) else name
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    problem=f"{name.value} stands twice: keep one", problem_mark=name.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)


def read_config(path: Path) -> Config:
    """The validated file; Misconfigured names every wrong place."""
    try:
        document = yaml.load(path.read_text(), _Strict)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: not UTF-8 text: save it as such") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Misconfigured(f"{path}: not YAML: {error}") from error
    config = parse_config(document, str(path))
    names = [told for name in config.connections if (told := _no_name(config, name))]
    if wrong := [*names, *_too_much(config)]:
        raise Misconfigured("\n".join(f"{path}: {told}" for told in wrong))
    proven(config)
    return config


def _too_much(config: Config) -> Iterator[str]:
    """What no calendar holds. Asked of a file only: what was stored before goes on."""
    norm, recovery = config.norm, config.recovery
    given = {
        "recovery.looks": (recovery.looks, 100),
        "recovery.over_seconds": (recovery.over_seconds, WEEK_SECONDS),
        "norm.run_minutes_max": (norm.run_minutes_max, YEAR_MINUTES),
        "norm.wait_minutes_max": (norm.wait_minutes_max, YEAR_MINUTES),
    }
    for name, connection in config.connections.items():
        overlap = connection.poll.overlap_seconds
        given[f"connections.{name}.poll.overlap_seconds"] = (overlap, WEEK_SECONDS)
    for rule in norm.rules:
        place, hours = f"norm.rules: {rule.name}", rule.cool_down_hours or 0
        given[f"{place}: when.age_minutes_min"] = (rule.when.age_minutes_min, YEAR_MINUTES)
        given[f"{place}: cool_down_hours"] = (hours, YEAR_MINUTES // 60)
    for path, (value, most) in given.items():
        if value > most:
            yield f"{path}: at most {most:,}"


def _no_name(config: Config, name: str) -> str | None:
    """Why this is no name of a secret, without a word of it: it may be the key."""
    secret, place = config.connections[name].secret, f"connections.{name}.secret"
    if _LIKE_A_KEY.fullmatch(secret):
        return (
            f"{place}: this looks like the key itself: give the name it has in Secrets Manager, "
            "such as issuebridge/voice, and replace the key, since it stood in a file"
        )
    if not _SECRET_NAME.fullmatch(secret):
        return f"{place}: no secret can be called so: letters, digits and /_+=.@- only"
    return None
