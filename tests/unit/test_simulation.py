"""The one-seed simulation: `make simulate SEEDS=20000` runs more of the same, `make mutants` shows
what it would notice."""

from itertools import islice

import pytest

from tests.simulation.__main__ import run_seeds
from tests.simulation.crashes import SCENARIOS, struck
from tests.simulation.hardships import HARDSHIPS, TWO_INSTALLATIONS, struck_anywhere
from tests.simulation.mutant import ROOT
from tests.simulation.mutants import INVARIANTS, MUTANTS
from tests.simulation.play import play
from tests.simulation.shrink import report

SEEDS = 300
CHUNK = 30
EVERY_FEW, SPARSE = 4, 9
"""`make simulate` strikes at every boundary, this at some."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_invariant_holds_whatever_people_and_faults_do(first):
    assert "\n".join(run_seeds(range(first, first + CHUNK)).failures) == ""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_boundary_ends_well(name):
    for history in islice(struck(name, kinds=(("crash", 0),)), 0, None, EVERY_FEW):
        played = play(history)
        assert played.failure is None, report(history, played)


@pytest.mark.parametrize("name", HARDSHIPS)
def test_what_comes_from_outside_does_no_harm(name):
    kinds = (("neighbour", 1),) if name in TWO_INSTALLATIONS else (("crash", 0),)
    for history in islice(struck_anywhere(name, kinds=kinds), 0, None, SPARSE):
        played = play(history)
        assert played.failure is None, report(history, played)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_finds_its_line(mutant):
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1


def test_every_invariant_has_a_mutant():
    assert {mutant.invariant for mutant in MUTANTS} == INVARIANTS.keys()
