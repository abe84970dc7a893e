"""The proof is proved: spoil the handler in any of these ways, and the exploration notices."""

from collections.abc import Iterator

import pytest

from tests.exploration import report
from tests.exploration.mutants import MUTANTS, Mutant, planted
from tests.exploration.plans import plans
from tests.exploration.single import Found, Single
from tests.exploration.system import System, hushed

pytestmark = [pytest.mark.prove, pytest.mark.timeout(0)]


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with hushed():
        yield


def first_found(mutant: Mutant) -> Found | None:
    """Explore until something is found, what is promising first."""
    order = sorted(plans(), key=lambda plan: not plan.name.startswith(mutant.plan or "one"))
    explorer = Single(System())
    try:
        for plan in order:
            explorer.explore(plan, 1)
    except Found as found:
        return found
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught_by_the_promise_that_it_breaks(mutant: Mutant) -> None:
    with planted(mutant):
        found = first_found(mutant)

    report.mutants.append((mutant.name, found.promise.value if found else None))
    assert found, "nobody noticed"
    assert found.promise is mutant.promise
