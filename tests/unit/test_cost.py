"""What `issuebridge cost` tells follows from the template, the bench and the load."""

import pytest

from ops import cost
from ops.cli import main
from ops.cost import Load, backfill, monthly
from tests.bench.costs import measured
from tests.unit.test_template import emitted, of_type

SMALL = Load(issues=1000, changes_per_day=10)


def test_its_counts_are_those_of_the_template_and_of_the_bench():
    figures = dict(measured(990))
    assert len(of_type("AWS::CloudWatch::Alarm")) == cost.ALARMS
    assert len(emitted() - {"Age"}) == cost.METRICS
    stated = {
        "backfill: write units per issue": cost.BACKFILL_WRITES,
        "idle round: write units": cost.ROUND_WRITES,
        "one change mirrored: write units": cost.CHANGE_WRITES,
        "fingerprints: read units per 1,000 unchanged rows": cost.READS_OF_A_THOUSAND_ROWS,
    }
    for name, units in stated.items():
        assert 0.7 * units <= figures[name] <= units, name


@pytest.mark.parametrize(
    "more",
    [
        {"issues": 100_000},
        {"changes_per_day": 1000},
        {"connections": 9},
        {"requests_per_second": 1},
    ],
)
def test_more_of_anything_costs_more(more):
    assert sum(monthly(Load(**{**vars(SMALL), **more})).values()) > sum(monthly(SMALL).values())


def test_who_may_wait_longer_pays_less():
    waiting = Load(**{**vars(SMALL), "seen_within_minutes": 15})
    assert waiting.bound_minutes == 15
    assert (
        monthly(waiting)["Lambda, polling and its pace"]
        < (monthly(SMALL)["Lambda, polling and its pace"])
    )


def test_the_bound_is_no_shorter_than_a_sweep_takes():
    assert Load(issues=100_000, changes_per_day=1, seen_within_minutes=15).bound_minutes == 50
    assert Load(issues=0, changes_per_day=0).bound_minutes == 1
    assert Load(issues=28_000, changes_per_day=1, pages_max=1000).bound_minutes == 2, "a round ends"


def test_each_issue_costs_the_same_to_store():
    assert backfill(Load(issues=2000, changes_per_day=1)) == 2 * backfill(
        Load(issues=1000, changes_per_day=1)
    )


def test_it_prints_what_it_adds_up_to(capsys):
    assert main(["cost", "--issues", "1000", "--changes-per-day", "10"]) == 0
    told = capsys.readouterr().out
    whole = sum(monthly(Load(issues=1000, changes_per_day=10, connections=2)).values())
    assert f"{whole:,.2f}" in told
    assert "within 1 minutes" in told


def test_no_request_at_all_is_no_pace(capsys):
    with pytest.raises(SystemExit):
        main(["cost", "--issues", "1", "--changes-per-day", "1", "--requests-per-second", "0"])
    assert "--requests-per-second: it is at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-1", "many", "1e9", "", "\u0661"])
def test_a_figure_that_is_none_is_refused_by_its_name(capsys, word):
    with pytest.raises(SystemExit):
        main(["cost", "--issues", word, "--changes-per-day", "10"])
    assert "--issues" in capsys.readouterr().err
