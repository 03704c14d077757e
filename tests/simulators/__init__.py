"""Three issue systems as real HTTP servers on loopback, for the tests and the demo.

Each behaves as its vendor's documents say. Every point they leave open is a switch with a
default reading, so that a client can be shown to be right either way.

    sim = BlandSimulator(switches={"run_seconds": 5})
    with sim.serving() as base_url:             # api_url adds the vendor's own path, /api/v2
        issue = sim.add(title="Calls drop")     # a person reports an issue there,
        sim.edit(issue["id"], status="done")    # changes it,
        sim.act(issue["id"], "comment", detail="why?")
        sim.remove(issue["id"])                 # deletes it
        sim.faults.add(kind="drop_after", method="POST", path="/v1/triage/issues$")
        sim.set_switches(same_value_patch="no_effect")
        sim.advance(60)                         # its clock, by which Norm's runs go on
        sim.issues, sim.runs, sim.requests, sim.writes(), sim.violations

`violations` lists what a client sent that no document offers, so a test can assert it is empty.
`Remote(base_url)` has the same names for a simulator in another process; both talk through the
control surface under `/_sim/` (see `control.py`). `python -m tests.simulators` starts all three.
"""

from .antimetal import AntimetalSimulator
from .bland import BlandSimulator
from .remote import Remote
from .simulator import Simulator
from .zylon import ZylonSimulator

__all__ = ["AntimetalSimulator", "BlandSimulator", "Remote", "Simulator", "ZylonSimulator"]
