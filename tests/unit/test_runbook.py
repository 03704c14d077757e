"""The runbook has an entry for whatever pages or waits, and for nothing else."""

import re

from ops.attention import REMEDIES
from tests.unit.test_imports import ROOT
from tests.unit.test_template import of_type

ALARMS, STATES = (ROOT / "docs/runbook.md").read_text().split("\n## ")[1:]


def entries(part: str) -> list[str]:
    return [
        name for row in re.findall(r"^### (.+)$", part, re.MULTILINE) for name in row.split(", ")
    ]


def test_every_alarm_has_one_entry():
    assert sorted(entries(ALARMS)) == sorted(of_type("AWS::CloudWatch::Alarm"))


def test_every_state_that_waits_for_a_person_has_one_entry():
    assert sorted(entries(STATES)) == sorted(REMEDIES)
