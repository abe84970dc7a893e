"""docs/cost-and-scale.md shows what the model computes, and the model matches the project."""

from pathlib import Path

import pytest
import yaml

from bench import page, prices
from bench.simulation import OUTAGE, SCENARIOS, UNIT, Outcome, Scenario, looking_back, simulate
from handler.sweep import MOST_DUE
from handler.telemetry import Metric
from tests.template.sam_template import FUNCTIONS


@pytest.fixture(scope="module")
def outcomes() -> dict[Scenario, Outcome]:
    return {scenario: simulate(scenario) for scenario in SCENARIOS}


def test_page_and_plot_are_what_the_model_computes(outcomes: dict[Scenario, Outcome]) -> None:
    text = page.PAGE.read_text()

    assert page.rendered(text, outcomes) == text, "make model"
    assert page.PLOT.read_text() == page.plotted(outcomes), "make model"


def test_the_bill_includes_every_metric() -> None:
    """Cold starts are counted by function: a metric for each."""
    assert len(Metric) + len(FUNCTIONS) <= prices.MOST_METRICS


def test_every_user_becomes_ready_once(outcomes: dict[Scenario, Outcome]) -> None:
    for scenario, outcome in outcomes.items():
        assert len(outcome.waits) == sum(minute.ready for minute in outcome.minutes) / UNIT
        assert sum(minute.ready for minute in outcome.minutes) == pytest.approx(
            scenario.users, abs=2 * UNIT
        )
        assert outcome.minutes[-1].pending == 0


def test_outages_and_limits_are_respected(
    outcomes: dict[Scenario, Outcome],
) -> None:
    for scenario, outcome in outcomes.items():
        for number, minute in enumerate(outcome.minutes):
            assert minute.ready == 0 or number not in scenario.outage
            assert minute.ready <= scenario.calls_a_minute
            assert minute.queued <= MOST_DUE


def test_the_default_scenario_is_that_of_the_template() -> None:
    parameters = page.TEMPLATE.read_text().split("\nConditions:")[0]
    given = yaml.safe_load(parameters)["Parameters"]["WorkerConcurrency"]["Default"]
    (delivered,) = [one for one in SCENARIOS if one.name.endswith("as delivered")]

    assert delivered == Scenario(delivered.name, 1_000_000, given, 2000, OUTAGE)


def test_looking_back_takes_longer_with_more_users_until_it_has_no_end() -> None:
    passes = [looking_back(units)[0] for units in (1, 100, 200, 300, 400)]

    assert passes == sorted(passes)
    assert (passes[0], passes[-1]) == (1.0, float("inf"))


def test_every_item_has_a_price_and_is_used() -> None:
    uses = [*prices.EVENTS.values(), *prices.standing(1).values()]

    assert {name for use in uses for name in use} == set(prices.ITEMS)
    assert prices.cost({"SQS request": 1_000_000}) == pytest.approx(0.40)
    for name in prices.ITEMS:
        assert any(use.get(name) for use in uses), name


def test_the_page_names_the_sources_of_its_prices() -> None:
    assert prices.AS_OF.split(",")[0] in page.PAGE.read_text()
    assert {item.page.split("/")[-1] for item in prices.ITEMS.values()} <= {"pricing", "on-demand"}
    assert Path("docs/outage.svg").stat().st_size < 50_000
