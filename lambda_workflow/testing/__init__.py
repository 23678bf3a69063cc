"""Host 3: everything in memory and in virtual time, for tests of this package and of its users.

Authors import `simulate`, `Simulation`, `explore` and `fake` from here; see docs/how-to/testing.md.
"""

from lambda_workflow.testing.acts import Act, Moment, after, now
from lambda_workflow.testing.exploring import Explored, ScheduleFailed, explore, holds
from lambda_workflow.testing.fakes import Fake, FakeCallback, callback, fake
from lambda_workflow.testing.histories import assert_replays
from lambda_workflow.testing.looking import CallSeen, Pending, Reply, Simulated, Snapshot
from lambda_workflow.testing.schedule import Fault
from lambda_workflow.testing.simulating import Simulation, simulate
from lambda_workflow.testing.stage_world import Endless, SimulationError

__all__ = [
    "Act",
    "CallSeen",
    "Endless",
    "Explored",
    "Fake",
    "FakeCallback",
    "Fault",
    "Moment",
    "Pending",
    "Reply",
    "ScheduleFailed",
    "Simulated",
    "Simulation",
    "SimulationError",
    "Snapshot",
    "after",
    "assert_replays",
    "callback",
    "explore",
    "fake",
    "holds",
    "now",
    "simulate",
]
