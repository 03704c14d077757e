"""The mapping prover: every word of every map comes to rest, and what is lost is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuebridge.domain import prover
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.routing import Landscape
from issuebridge.domain.words import STATUSES
from tests.world import World, connection, document


def chain(**maps: dict[str, list[str]]) -> Landscape:
    """zylon -> bland and antimetal -> bland -> antimetal, with these status maps."""
    named = {name: {"maps": {"status": given}} for name, given in maps.items()}
    connections = {
        name: connection(name, **named.get(name, {})) for name in ("bland", "antimetal", "zylon")
    }
    return World(document(connections=connections)).landscape


def test_the_built_in_maps_come_to_rest_on_every_path():
    prover.prove(chain())


def test_what_the_built_in_maps_lose_is_told_word_by_word():
    told = prover.findings(chain())
    assert "antimetal.status: todo is written as investigating, which reads as in_progress" in told
    assert "antimetal.severity: critical is written as high, which reads as high" in told
    assert not [line for line in told if line.startswith("bland.")]


def test_a_word_that_is_read_and_never_written_is_told():
    lenient = {**{word: [word] for word in STATUSES}, "resolved": ["done"]}
    told = prover.findings(chain(bland=lenient))
    assert "bland.status: resolved is read and never written" in told


@st.composite
def total_maps(draw: st.DrawFn) -> dict[str, list[str]]:
    """Any map in which some raw word stands for each canonical word."""
    raws = draw(st.integers(1, 5))
    homes = [draw(st.integers(0, raws - 1)) for _ in STATUSES]
    words: dict[str, list[str]] = {f"w{n}": [] for n in range(raws)}
    for word, home in zip(STATUSES, homes, strict=True):
        words[f"w{home}"].append(word)
    for raw in list(words):
        words[raw] += draw(st.lists(st.sampled_from(STATUSES), max_size=2, unique=True))
    return {raw: list(dict.fromkeys(row)) for raw, row in words.items() if row}


@settings(max_examples=60, deadline=None)
@given(total_maps(), total_maps(), total_maps())
def test_no_total_maps_whatever_they_are_make_a_chain_flap(bland, antimetal, zylon):
    prover.prove(chain(bland=bland, antimetal=antimetal, zylon=zylon))


def test_a_pair_that_never_comes_to_rest_is_refused_with_its_cycle(monkeypatch):
    """No map can do that to this engine, so the engine's own write is broken here."""
    plan = prover.plan_write
    turns = iter(["todo", "done"] * 50)

    def restless(issue, remote, policy, now):
        write = plan(issue, remote, policy, now)
        return write if policy.connection != "bland" else type(write)({"status": next(turns)}, {})

    monkeypatch.setattr(prover, "plan_write", restless)
    with pytest.raises(
        Misconfigured, match=r"never comes to rest: .*bland status=done -> antimetal"
    ):
        prover.prove(chain())
