"""The proof is proved: spoil the handler in any of these ways, and the exploration notices."""

from collections.abc import Callable, Iterator

import pytest

from tests.exploration import promises, report
from tests.exploration.concurrent import three, two
from tests.exploration.interleaved import Concurrent, Interleaved
from tests.exploration.mutant import Mutant, planted
from tests.exploration.mutants_of_creation import CREATION_MUTANTS
from tests.exploration.mutants_of_facts import FACT_MUTANTS
from tests.exploration.mutants_of_sessions import SESSION_MUTANTS
from tests.exploration.plans import plans
from tests.exploration.promises import Promise
from tests.exploration.sessions import session_plans, two_sessions
from tests.exploration.single import Found, Single
from tests.exploration.steps import Plan
from tests.exploration.system import System

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(0),
    pytest.mark.usefixtures("hushed"),
]


@pytest.fixture
def only() -> Iterator[Callable[[Promise], None]]:
    """Look at no other promise than this one."""

    def judge(promise: Promise) -> None:
        promises.judged.intersection_update({promise})

    yield judge
    promises.judged.update(Promise)


def first_found(mutant: Mutant) -> Found | None:
    """Explore until something is found, what is promising first."""
    every: list[Plan | Concurrent] = [*plans(), *session_plans(), *two(), *two_sessions(), *three()]
    places = sorted(
        every,
        key=lambda place: not place.name.startswith(mutant.place or "one"),
    )
    try:
        for place in places:
            if isinstance(place, Plan):
                Single(System(), odd=mutant.odd).explore(place, 1)
            else:
                Interleaved(System()).explore(place, 0)
    except Found as found:
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
    with planted(mutant):
        found = first_found(mutant)

    assert found, "nobody noticed"
    report.mutants[mutant.name] = found.promise.value
