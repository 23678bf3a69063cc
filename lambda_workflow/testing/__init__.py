"""Host 3: everything in memory and in virtual time, for tests of this package and of its users.

Authors import `simulate`, `Simulation`, `explore` and `fake` from here; see docs/how-to/testing.md.
"""

from lambda_workflow.testing.exploring import Explored, ScheduleFailed, explore, holds
from lambda_workflow.testing.fakes import Fake, fake
from lambda_workflow.testing.histories import assert_replays
from lambda_workflow.testing.looking import CallSeen, Pending, Simulated, Snapshot
from lambda_workflow.testing.schedule import Fault
from lambda_workflow.testing.simulating import Simulation, simulate
from lambda_workflow.testing.stage_world import Endless, SimulationError

__all__ = [
    "CallSeen",
    "Endless",
    "Explored",
    "Fake",
    "Fault",
    "Pending",
    "ScheduleFailed",
    "Simulated",
    "Simulation",
    "SimulationError",
    "Snapshot",
    "assert_replays",
    "explore",
    "fake",
    "holds",
    "simulate",
]
