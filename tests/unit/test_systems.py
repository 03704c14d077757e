"""A system is one folder and one row: the core names none, and what is everywhere comes from it."""

import re

import pytest

from issuebridge.domain.config import Connection
from issuebridge.domain.errors import Misconfigured
from issuebridge.systems import SYSTEMS, parse_config, stored_config
from ops.stack import POLLERS
from tests.unit.test_imports import CORE, ROOT
from tests.world import connection, document

CORE_FILES = [
    CORE / "issuebridge/ports.py",
    *(
        path
        for part in ("domain", "use_cases")
        for path in (CORE / "issuebridge" / part).glob("*.py")
    ),
]


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: path.stem)
def test_no_file_of_the_core_names_a_system(path):
    assert re.findall("|".join(SYSTEMS), path.read_text(), re.IGNORECASE) == []


@pytest.mark.parametrize("kind", SYSTEMS)
def test_what_only_one_system_knows_is_a_setting_of_no_other(kind):
    own = SYSTEMS[kind].settings.model_fields.keys() - Connection.model_fields.keys()
    for other in SYSTEMS.keys() - {kind}:
        for name in own:
            given = document(connections={"it": connection(other, **{name: "x"})}, routes=[])
            told = f"connections.it.{name}: no such setting of {other}: it has "
            with pytest.raises(Misconfigured, match=re.escape(told)):
                parse_config(given, "file.yaml")


def test_a_stored_configuration_keeps_what_earlier_versions_gave_to_every_kind():
    earlier = {"environment": "production", "api_version": "2026-03-17", "org": "default"}
    earlier |= {"generation": "current", "anchor": None}
    stored = document(
        connections={kind: connection(kind, **earlier) for kind in SYSTEMS}, routes=[]
    )
    read = stored_config(stored)
    assert read == parse_config(document(routes=[]), "file.yaml")


def test_a_stored_configuration_with_times_from_before_there_were_bounds_goes_on():
    long = {"wait_minutes_max": 5_000_000, "rules": []}
    assert stored_config(document(norm=long)).norm.wait_minutes_max == 5_000_000


def test_a_stored_connection_of_a_kind_that_is_not_known_here_is_named():
    stored = document(connections={"hub": connection("github")}, routes=[])
    with pytest.raises(Misconfigured, match=r"connections\.hub\.kind: give one of bland"):
        stored_config(stored)


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_row_has_comments_and_an_agent_just_where_its_traits_say_so(kind):
    system = SYSTEMS[kind]
    traits = system.settings.traits
    assert (system.comments is not None, system.agent is not None) == (
        traits.comments,
        traits.agent,
    )


def test_the_template_has_the_same_for_every_system_and_differs_by_its_name_alone():
    """For a new one: copy what bears the name of another."""
    first, *others = SYSTEMS
    text = (ROOT / "template.yaml").read_text()
    pollers = re.findall(r"^  (Poll\w+):\n    Type: AWS::Serverless::Function$", text, re.MULTILINE)
    assert sorted(POLLERS.values()) == sorted(pollers)

    def named(kind: str) -> list[str]:
        rows = [row for row in text.split("\n") if POLLERS[kind] in row or f" {kind} " in row]
        return [row.replace(POLLERS[kind], "Poll").replace(kind, "kind") for row in rows]

    assert len(named(first)) > 10
    assert all(named(kind) == named(first) for kind in others)


def test_every_file_that_the_guide_names_is_there():
    guide = (ROOT / "docs/adding-a-system.md").read_text()
    named = set(re.findall(r"`((?:layers|tests|docs)/[^` ]+|template\.yaml)`", guide))
    assert len(named) > 6
    assert [name for name in named if not (ROOT / name).exists()] == []
