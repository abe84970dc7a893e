"""Whatever fails, dies, is late, lost or sent twice: the promises hold.

`make test` explores one fault at a time, and every order of what happens at once; all but what is
`long`. `make prove` explores two faults at a time, of which one may be an odd answer of Composio,
and what two do at once with one fault.
A failure is a trace: the steps taken, and at which call what went wrong.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from handler.account_table import ACCOUNTS
from tests.exploration import report
from tests.exploration.cases import three, two
from tests.exploration.interleaved import Case, InterleavedExplorer
from tests.exploration.machine import OTHER, Machine
from tests.exploration.plans import plans
from tests.exploration.sequential import Counterexample, SequentialExplorer
from tests.exploration.sessions import session_plans, two_sessions
from tests.exploration.steps import Plan
from tests.exploration.system import System
from tests.world import GMAIL, SERVER, SLACK

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(0),
    pytest.mark.usefixtures("without_logging"),
]

LONG = "PROVE" in os.environ


@pytest.fixture(scope="module")
def system() -> System:
    return System()


def _id(given: Plan | Case | int) -> str:
    return f"{given} faults" if isinstance(given, int) else given.name


@pytest.mark.parametrize(
    ("plan", "faults"),
    [
        (plan, plan.faults if LONG else 1)
        for plan in (*plans(), *session_plans())
        if LONG or not plan.long
    ],
    ids=_id,
)
def test_every_fault_at_every_call_is_survived(system: System, plan: Plan, faults: int) -> None:
    explorer = SequentialExplorer(system)
    try:
        histories = explorer.explore(plan, faults)
    except Counterexample as found:
        pytest.fail(str(found), pytrace=False)

    report.histories[f"exhaustive, {faults} fault{'s' * (faults > 1)}"] += histories
    report.steps_taken += explorer.runs
    assert histories > 1


@pytest.mark.parametrize(
    ("case", "faults"),
    [
        *((case, int(LONG)) for case in (*two(), *two_sessions())),
        *((case, 0) for case in three() if LONG or not case.long),
    ],
    ids=_id,
)
def test_every_order_of_calls_of_several_at_once_is_survived(
    system: System, case: Case, faults: int
) -> None:
    explorer = InterleavedExplorer(system)
    try:
        histories = explorer.explore(case, faults)
    except Counterexample as found:
        pytest.fail(str(found), pytrace=False)

    report.histories[f"interleaved, {faults} faults"] += histories
    report.steps_taken += explorer.moments
    assert histories > 1


def test_anything_at_any_time_is_survived() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=10_000 if LONG else 150,
            stateful_step_count=60 if LONG else 30,
            # `make test` does not fail by chance: what is found anew is found by `make prove`.
            derandomize=not LONG,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_what_a_worker_ignores_that_does_not_know_a_profile_yet_is_back_filled() -> None:
    machine = Machine()
    system = machine.system
    machine.require(SERVER, (GMAIL,))
    machine.require(OTHER, (SLACK,))
    machine.wait(4000)
    machine.tick()
    machine.work("worker", 5)
    machine.connect("user_1", SLACK, told=True)
    system.publish(machine.unsent.pop())
    machine.work("worker", 5)  # has the catalog in its memory now
    machine.put_profile(("ac_notion",))
    machine.connect("user_2", "ac_notion", told=True)
    system.publish(machine.unsent.pop())
    machine.work("worker", 5)

    assert ("USER#user_2", ACCOUNTS) not in system.rows()
    machine.teardown()
    assert ("USER#user_2", ACCOUNTS) in system.rows()
