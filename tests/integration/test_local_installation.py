"""`make local` is a new stack each time, and yet knows its own marks."""

import json
import os
import stat
from contextlib import contextmanager
from dataclasses import replace

import pytest

from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.mark import Installation
from issuebridge.systems import parse_config
from ops import local, local_stack
from ops.stack import installation

DOCUMENT = {
    "version": 1,
    "connections": {"voice": {"kind": "bland", "base_url": "https://x.example", "secret": "s"}},
}


@pytest.fixture
def up(monkeypatch, tmp_path, local_aws, dynamodb):
    """`kept_up`, with a table in place of the whole stack: another secret name is another stack."""
    for name in ("INSTALLATION", "RUNNING", "AWS_INI"):
        monkeypatch.setattr(local, name, tmp_path / name.lower())

    def start(secret: str):
        outputs = {"TableName": dynamodb.name, "InstallationSecret": f"{dynamodb.name}/{secret}"}

        @contextmanager
        def deployed(parameters, progress):
            yield replace(local_aws, outputs=outputs)

        monkeypatch.setattr(local.LocalStack, "up", deployed)
        config = parse_config(DOCUMENT, "test")
        with local.kept_up(config, {}, progress=lambda _: None) as stack:
            return installation(stack.session, outputs["InstallationSecret"])

    return start


def test_the_next_local_stack_has_the_same_installation(up):
    first = up("one")
    assert up("two") == first
    assert json.loads(local.INSTALLATION.read_text()) == {"tag": first.tag, "key": first.key}


def test_the_secret_is_for_its_owner_alone_also_in_a_file_that_was_open_before(up):
    local.INSTALLATION.write_text(json.dumps(vars(Installation.new())))
    local.INSTALLATION.chmod(0o644)
    up("one")
    assert stat.S_IMODE(local.INSTALLATION.stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"tag": "abcde"}'])
def test_a_damaged_file_is_refused_with_the_remedy(up, damaged):
    local.INSTALLATION.write_text(damaged)
    with pytest.raises(Misconfigured, match="put back the file, or delete it"):
        up("one")


def test_the_logs_of_old_stacks_go_and_those_of_the_last_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(local_stack, "LOGS", tmp_path)
    made = [tmp_path / f"stack-{number:02}" for number in range(local_stack.KEPT_MAX + 5)]
    for age, folder in enumerate(reversed(made)):
        folder.mkdir()
        os.utime(folder, (1_700_000_000 - age, 1_700_000_000 - age))
    with local_stack.LocalStack.bare() as stack:
        left = {path.name for path in tmp_path.glob("stack-*")}
        assert {folder.name for folder in made[5:]} | {stack.folder.name} == left
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
