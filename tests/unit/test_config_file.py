"""The configuration file: nothing in it is swallowed, and a key that was pasted is never shown."""

from pathlib import Path

import pytest
import yaml

from issuebridge.domain.errors import Misconfigured
from ops.cli import main
from ops.config_file import read_config
from tests.world import connection, document

EXAMPLE = Path(__file__).parents[2] / "issuebridge.example.yaml"
KEYS = [
    "sk-live-51H8xQ2eZvKYlo2C0aBcDeFgH",
    "org_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
]


def written(path: Path, text: str) -> Path:
    file = path / "issuebridge.yaml"
    file.write_text(text)
    return file


def refused(path: Path, text: str) -> str:
    with pytest.raises(Misconfigured) as refusal:
        read_config(written(path, text))
    return str(refusal.value)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("version: 1", "version"),
        ("    mode: observe", "mode"),
        ("  bland: {kind: bland, base_url: https://b.example, secret: issuebridge/b}", "bland"),
        ("connections: {}", "connections"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(tmp_path, line, key):
    text = (
        "version: 1\nconnections:\n  bland:\n    kind: bland\n    base_url: https://b.example\n"
        f"    secret: issuebridge/b\n    mode: mirror\n{line}\n"
    )
    told = refused(tmp_path, text)
    assert f"{key} stands twice: keep one" in told
    assert "line 8" in told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("mode: mirorr", "mode: give 'observe', 'mirror' or 'paused'"),
        ("utc_offset: '2'", "utc_offset: give hours and minutes, such as +02:00"),
        ("requests_per_second: 0", "requests_per_second: give more than 0.0"),
        ("ca_pem: 3", "ca_pem: give text; in quotes, if it looks like a number"),
        ("maps: [1]", "maps: give settings, each as NAME: VALUE"),
        ("poll: {pages_max: many}", "poll.pages_max: give a whole number"),
        ("conflict: {status: lates}", "conflict.status: give 'latest' or 'hold', or give settings"),
        ("conflict: {status: {prefer: 1}}", "conflict.status.prefer: give text"),
    ],
)
def test_what_a_setting_may_be_is_told_in_words_and_not_in_the_librarys(tmp_path, setting, told):
    text = (
        "version: 1\nconnections:\n  bland:\n    kind: bland\n    base_url: https://b.example\n"
        f"    secret: issuebridge/b\n    {setting}\nroutes: []\n"
    )
    said = refused(tmp_path, text)
    assert f"connections.bland.{told}" in said
    assert not any(word in said for word in ("literal[", "String", "Input", "Prefer", "^["))


def test_a_problem_is_told_with_the_whole_name_whatever_a_connection_is_called(tmp_path):
    given = document(connections={"datetime": connection("bland", mode="mirorr")}, routes=[])
    assert "connections.datetime.mode: give" in refused(tmp_path, yaml.safe_dump(given))


def test_the_example_is_fine_and_an_anchor_may_be_used_twice(tmp_path):
    assert read_config(EXAMPLE).connections
    text = EXAMPLE.read_text() + "\nx: &a {b: 1}\ny: {<<: *a, b: 2}\n"
    assert "stands twice" not in refused(tmp_path, text)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_where_its_name_belongs_is_refused_and_not_shown(tmp_path, key, capsys):
    given = document(connections={"bland": connection("bland", secret=key)}, routes=[])
    file = written(tmp_path, yaml.safe_dump(given))
    assert main(["check", str(file)]) != 0
    shown = "".join(capsys.readouterr())
    assert "connections.bland.secret: this looks like the key itself" in " ".join(shown.split())
    assert key not in "".join(shown.split())


@pytest.mark.parametrize(
    "name", ["issuebridge/voice", "prod.bland-key-2024", "issuebridge/" + "x1" * 40]
)
def test_a_name_is_no_key(tmp_path, name):
    given = document(connections={"bland": connection("bland", secret=name)}, routes=[])
    assert read_config(written(tmp_path, yaml.safe_dump(given))).connections


@pytest.mark.parametrize("name", ["my key", "schlüssel", "", "a\tb"])
def test_what_no_secret_can_be_called_is_refused(tmp_path, name):
    given = document(connections={"bland": connection("bland", secret=name)}, routes=[])
    told = refused(tmp_path, yaml.safe_dump(given))
    assert "connections.bland.secret: no secret can be called so" in told


@pytest.mark.parametrize("number", [".inf", ".nan", "1e12"])
@pytest.mark.parametrize(
    "setting",
    [
        "recovery: {over_seconds: %s}",
        "recovery: {looks: %s}",
        "norm: {run_minutes_max: %s}",
        "norm: {wait_minutes_max: %s}",
        "norm: {rules: [{name: r, when: {age_minutes_min: %s}, prompt: p}]}",
        "norm: {rules: [{name: r, when: {}, cool_down_hours: %s, prompt: p}]}",
        "connections: {bland: {kind: bland, base_url: 'https://b.example', secret: s, "
        "poll: {overlap_seconds: %s}}}",
    ],
)
def test_a_time_that_no_calendar_holds_is_refused_by_its_path(tmp_path, setting, number):
    base = {"version": 1, "connections": {"bland": connection("bland")}}
    given = {**base, **yaml.safe_load(setting % number)}
    told = refused(tmp_path, yaml.safe_dump(given))
    assert setting.split(":")[0] in told


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "issuebridge.yaml"
    file.write_bytes("version: 1".encode("utf-16"))
    with pytest.raises(Misconfigured, match="not UTF-8 text"):
        read_config(file)
