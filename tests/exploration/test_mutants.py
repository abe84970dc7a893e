"""Every mutant of the handler makes the exploration fail."""

from collections.abc import Callable, Iterator

import pytest

from tests.exploration import promises, report
from tests.exploration.cases import three, two
from tests.exploration.interleaved import Case, InterleavedExplorer
from tests.exploration.mutant import Mutant, applied
from tests.exploration.mutants import CREATION_MUTANTS, FACT_MUTANTS, SESSION_MUTANTS
from tests.exploration.plans import plans
from tests.exploration.promises import Promise
from tests.exploration.sequential import Counterexample, SequentialExplorer
from tests.exploration.sessions import session_plans, two_sessions
from tests.exploration.steps import Plan
from tests.exploration.system import System

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(0),
    pytest.mark.usefixtures("without_logging"),
]


@pytest.fixture
def only() -> Iterator[Callable[[Promise], None]]:
    """Check only one promise."""

    def judge(promise: Promise) -> None:
        promises.checked_promises.intersection_update({promise})

    yield judge
    promises.checked_promises.update(Promise)


def first_found(mutant: Mutant) -> Counterexample | None:
    """Explore until a promise breaks, starting where the mutant says."""
    every: list[Plan | Case] = [*plans(), *session_plans(), *two(), *two_sessions(), *three()]
    places = sorted(
        every,
        key=lambda place: not place.name.startswith(mutant.place or "one"),
    )
    try:
        for place in places:
            if isinstance(place, Plan):
                SequentialExplorer(System(), odd=mutant.odd).explore(place, 1)
            else:
                InterleavedExplorer(System()).explore(place, 0)
    except Counterexample as found:
        return found
    return None


@pytest.mark.parametrize(
    "mutant", [*CREATION_MUTANTS, *FACT_MUTANTS, *SESSION_MUTANTS], ids=lambda mutant: mutant.name
)
def test_every_mutant_is_caught_by_the_promise_that_it_breaks(
    mutant: Mutant, only: Callable[[Promise], None]
) -> None:
    only(mutant.promise)
    report.mutants[mutant.name] = None
    with applied(mutant):
        found = first_found(mutant)

    assert found, "no promise was broken"
    report.mutants[mutant.name] = found.promise.value
