"""Importing our code does nothing, and what ships knows nothing of this machine or its tests."""

import re
import subprocess
import sys
from pathlib import Path

from ops.cli import _parser

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers/core"
SHIPPED = sorted(
    path
    for folder in ("functions", "layers")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
)
MODULES = [
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    for base, folder in ((CORE, CORE / "issuebridge"), (ROOT, ROOT / "functions"))
    for path in sorted(folder.rglob("*.py"))
]
IMPORT_ALL = """
import importlib, os, socket, sys

class Forbidden(socket.socket):
    def __init__(self, *_args, **_kwargs):
        raise AssertionError("a socket was opened while importing")

assert not {name for name in os.environ if name != "LC_CTYPE"}, "the environment was to be empty"
socket.socket = Forbidden
sys.path[:0] = [sys.argv[1], sys.argv[2]]
for name in sys.argv[3:]:
    importlib.import_module(name)
"""


def test_every_module_imports_with_an_empty_environment_and_without_the_network():
    assert {"issuebridge.wiring", "functions.mirror.handler"} <= set(MODULES)
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALL, str(CORE), str(ROOT), *MODULES]
    run = subprocess.run(command, env={}, capture_output=True, text=True, check=False, cwd="/")
    assert run.returncode == 0, run.stderr


def test_what_ships_knows_no_simulator_and_no_local_address():
    words = re.compile(r"(?i)simulat\w*|localhost|127\.0\.0\.1|\[::1\]|ministack")
    found = {str(path): words.findall(path.read_text()) for path in SHIPPED}
    assert len(found) > 40
    assert {path: hits for path, hits in found.items() if hits} == {}


def test_every_command_that_a_message_tells_a_person_to_run_exists():
    sources = [*(ROOT / "layers").rglob("*.py"), *(ROOT / "ops").rglob("*.py")]
    told = {
        word
        for path in sources
        for word in re.findall(r"`issuebridge ([\w-]+)", path.read_text().replace('"\n', ""))
    }
    (commands,) = (a.choices for a in _parser()._actions if isinstance(a.choices, dict))
    assert told
    assert told <= set(commands)
