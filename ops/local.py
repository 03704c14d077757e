"""The local stack with a configuration of one's own: kept up for playing, found by `--local`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import boto3
import botocore.session
import yaml

from issuebridge.domain.config import Config
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.mark import Installation
from ops.local_stack import LOGS, LocalStack, LocalStackError
from ops.stack import Stack, installation, put_secrets

__all__ = ["LocalStackError", "deployed", "kept_up", "read_secrets", "running"]

RUNNING = LOGS / "running.json"
INSTALLATION = LOGS / "installation.json"
AWS_INI = LOGS / "aws.ini"
"""As AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE it makes any AWS tool talk to that stack."""


def read_secrets(path: Path, config: Config) -> dict[str, str]:
    """Secret name -> key, from a file that git ignores; every name the configuration uses."""
    needed = {connection.secret for connection in config.connections.values()}
    remedy = f"one line for each secret, such as `{min(needed)}: the-key` (git ignores the file)"
    try:
        given = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}: write it with {remedy}") from error
    except yaml.YAMLError:
        raise Misconfigured(f"{path}: not YAML (what is in it is not shown): {remedy}") from None
    if not isinstance(given, dict):
        raise Misconfigured(f"{path}: {remedy}")
    missing = sorted(needed - given.keys())
    if missing:
        raise Misconfigured(f"{path}: add a line for {', '.join(missing)}")
    return {name: str(given[name]) for name in needed}


@contextmanager
def deployed(
    config: Config,
    secrets: Mapping[str, str],
    *,
    schedules: str = "DISABLED",
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Stack, Config]]:
    """The real template on a local AWS, with these secrets and this configuration in it."""
    with LocalStack.up({"SchedulesState": schedules}, progress) as aws:
        stack = Stack(aws.session(), aws.outputs)
        put_secrets(stack.session, secrets)
        yield stack, stack.push_config(config)


@contextmanager
def kept_up(
    config: Config, secrets: Mapping[str, str], *, progress: Callable[[str], None]
) -> Iterator[Stack]:
    """As `deployed`, with its schedules on, and noted for `--local`."""
    with LocalStack.up({"SchedulesState": "ENABLED"}, progress) as aws:
        stack = Stack(aws.session(), aws.outputs)
        put_secrets(stack.session, {**secrets, **_installation_before(stack)})
        stack.push_config(config)
        _keep_installation(stack)
        AWS_INI.write_text((aws.folder / "aws.ini").read_text())
        RUNNING.write_text(json.dumps(dict(aws.outputs)))
        try:
            yield stack
        finally:
            RUNNING.unlink(missing_ok=True)
            AWS_INI.unlink(missing_ok=True)


def _installation_before(stack: Stack) -> dict[str, str]:
    """The secret by which we know our own marks, from the last time: each local stack is a new one.
    A damaged file is refused: with a new secret all marks would be another bridge's."""
    try:
        kept = INSTALLATION.read_text()
    except FileNotFoundError:
        return {}
    try:
        Installation(**json.loads(kept))
    except (ValueError, TypeError):
        raise Misconfigured(
            f"{INSTALLATION}: cannot be read: put back the file, or delete it (and then its marks "
            "at the vendors are those of another issuebridge)"
        ) from None
    return {stack.output("InstallationSecret"): kept}


def _keep_installation(stack: Stack) -> None:
    """For its owner's eyes only."""
    made = installation(stack.session, stack.output("InstallationSecret"))
    INSTALLATION.touch(mode=0o600)
    INSTALLATION.chmod(0o600)
    INSTALLATION.write_text(json.dumps(asdict(made)))


def running() -> Stack:
    try:
        outputs = json.loads(RUNNING.read_text())
    except OSError:
        raise Misconfigured(
            "no local stack is up: start one with `make local CONFIG=file.yaml`"
        ) from None
    core = botocore.session.Session(profile="default")
    for name in ("config_file", "credentials_file"):
        core.set_config_variable(name, str(AWS_INI))
    return Stack(boto3.Session(botocore_session=core), outputs)
