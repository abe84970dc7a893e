"""docs/bench.md shows the committed results, and those are within the limits."""

from pathlib import Path

import pytest

from bench import figures, packages, run
from bench.limits import RATIOS
from tests.world import GMAIL, SLACK, World, account


def test_the_page_shows_what_was_measured() -> None:
    page = figures.PAGE.read_text()

    assert figures.rendered(page, figures.newest()) == page


def test_a_peer_that_was_left_out_is_in_no_table() -> None:
    result = figures.newest()
    for name in ("starts", "starts_without_bytecode", "events", "races", "instructions"):
        result[name].pop("powertools")
    result["ratios"] = run.ratios(result["instructions"])
    lines = [line for table in figures.tables(result).values() for line in table]

    assert len(result["ratios"]) == len([one for one in RATIOS if "powertools" not in one])
    assert not [line for line in lines if "powertools" in line]


def test_without_valgrind_the_tables_have_what_is_left() -> None:
    result = figures.newest()
    whole = {name: list(lines) for name, lines in figures.tables(result).items()}
    del result["instructions"], result["ratios"]
    for row in (row for rows in result["growth"].values() for row in rows):
        row["instructions"] = None
    left = {name: list(lines) for name, lines in figures.tables(result).items()}

    assert left["ratios"] == whole["ratios"][:2]
    for name in ("starts", "events", "growth"):
        assert [line.count("|") for line in left[name]] == [line.count("|") for line in whole[name]]
        assert left[name][:2] == whole[name][:2]
    assert left["load"] == whole["load"]


def test_a_peer_that_cannot_be_installed_is_reported_and_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    monkeypatch.setattr(packages, "floor", lambda _: ours)
    monkeypatch.setenv("UV", "false")
    said: list[str] = []
    cast = run.cast(ours, tmp_path, said.append)

    assert [one.name for one in cast.subjects] == ["webhook", "worker", "bare"]
    assert said == [f"{one} is left out: uv has said why" for one in ("powertools", "composio")]


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="no place for starts"):
        figures.rendered("", figures.newest())


def test_the_results_are_within_the_limits() -> None:
    """A gate that is lowered needs a bench that shows it."""
    measured = figures.newest()["ratios"]

    assert {name for name, limit in RATIOS.items() if measured[name] > limit.gate} == set()


def test_the_cost_of_an_event_does_not_grow() -> None:
    """Within a tenth, where it is not the user's own accounts that grow."""
    for axis, rows in figures.newest()["growth"].items():
        if axis != "accounts of the user":
            first, *others = [row["instructions"] for row in rows]
            assert all(one == pytest.approx(first, rel=0.1) for one in others)
            assert len({(*row["trips"], row["reads"], row["writes"]) for row in rows}) == 1


def test_more_users_and_servers_cost_an_event_no_call() -> None:
    """The same for the current handler."""
    lone, many = World(enrolled=None), World(enrolled=None)
    many.upstream.servers |= {f"srv_{one}": [f"ac_{one}"] for one in range(100)}
    for number in range(100):
        many.see(account(GMAIL, user=f"other{number}"))
    found = []
    for one in (lone, many):
        one.see(account(GMAIL))
        one.trips()
        one.see(account(SLACK))
        found.append(one.trips())

    assert found[0] == found[1]
