"""`docs/bench.md` says what the committed results say, and they hold what is held."""

import pytest

from bench import figures
from bench.targets import RATIOS
from tests.world import GMAIL, SLACK, World, account


def test_page_says_what_was_measured() -> None:
    page = figures.PAGE.read_text()

    assert figures.rendered(page, figures.newest()) == page


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="no place for starts"):
        figures.rendered("", figures.newest())


def test_what_was_measured_holds_what_is_held() -> None:
    """A gate that is lowered needs a bench that shows it."""
    measured = figures.newest()["ratios"]

    assert {name for name, limit in RATIOS.items() if measured[name] > limit.gate} == set()


def test_an_event_cost_the_same_whatever_else_there_was() -> None:
    """Within a tenth, where it is not the user's own accounts that grow."""
    for axis, rows in figures.newest()["growth"].items():
        if axis != "accounts of the user":
            first, *others = [row["instructions"] for row in rows]
            assert all(one == pytest.approx(first, rel=0.1) for one in others)
            assert len({(*row["trips"], row["reads"], row["writes"]) for row in rows}) == 1


def test_growth_in_users_and_servers_costs_an_event_no_call() -> None:
    """The same of the handler as it is now."""
    lone, crowd = World(enrolled=None), World(enrolled=None)
    crowd.upstream.servers |= {f"srv_{one}": [f"ac_{one}"] for one in range(100)}
    for number in range(100):
        crowd.see(account(GMAIL, user=f"other{number}"))
    found = []
    for one in (lone, crowd):
        one.see(account(GMAIL))
        one.trips()
        one.see(account(SLACK))
        found.append(one.trips())

    assert found[0] == found[1]
