"""Writes the figures into docs/cost-and-scale.md and draws its plot: `python -m bench.page`."""

import sys
from pathlib import Path

from bench import prices
from bench.figures import filled
from bench.plot import drawn
from bench.simulation import SCENARIOS, UNIT, Outcome, Scenario, looking_back, simulate

PAGE = Path("docs/cost-and-scale.md")
PLOT = Path("docs/outage.svg")
TEMPLATE = Path("template.yaml")


def price_table() -> str:
    """Return the price of each kind of event, by item."""
    used = [name for name in prices.ITEMS if any(use.get(name) for use in prices.EVENTS.values())]
    head = ["what", *used, "a million, $"]
    rows = [
        [
            what,
            *(f"{use.get(name, 0) * prices.ITEMS[name].price * 1e6:.2f}" for name in used),
            f"**{prices.cost(use) * 1e6:.2f}**",
        ]
        for what, use in prices.EVENTS.items()
    ]
    return _table(head, rows)


def month_table() -> str:
    """Return what a stack costs in a month, by part, without any user and with many."""
    alarms = TEMPLATE.read_text().count("Type: AWS::CloudWatch::Alarm")
    parts = {name: prices.cost(use) for name, use in prices.standing(alarms).items()}
    idle = sum(parts.values())
    rows = [[name, f"{cost:.2f}"] for name, cost in parts.items()]
    rows.append(["**a month in which nothing happens**", f"**{idle:.2f}**"])
    user = prices.cost(prices.USER)
    rows.append(["a provisioned user (two accounts)", f"{user:.6f}"])
    rows += [
        [f"a month with {users:,} provisioned users", f"{idle + users * user:,.2f}"]
        for users in (1_000, 100_000, 1_000_000)
    ]
    return _table(["what", "$"], rows)


def scale_table(outcomes: dict[Scenario, Outcome]) -> str:
    """Return what the simulation found."""
    head = ["scenario", "most not ready", "most queued", "answers 429", "drained after"]
    head += ["median wait of the delayed", "longest wait"]
    rows = [[scenario.name, *_found(scenario, outcomes[scenario])] for scenario in SCENARIOS]
    return _table(head, rows)


def looking_back_table() -> str:
    """Return how far the sweep's reading of recent accounts lags behind, by users a day."""
    rows = []
    for users in (10_000, 100_000, 500_000, 1_000_000, 2_000_000, 6_000_000):
        minutes, calls = looking_back(users / UNIT / 24 / 60)
        lag = f"{minutes:.0f} min" if minutes < float("inf") else "grows without end"
        rows.append([f"{users:,}", lag, f"{calls:.0f}"])
    return _table(["users a day, evenly", "a pass takes", "calls to Composio a minute"], rows)


def rendered(page: str, outcomes: dict[Scenario, Outcome]) -> str:
    """Return the page with the tables of this model."""
    tables = {
        "prices": price_table(),
        "month": month_table(),
        "scale": scale_table(outcomes),
        "looking-back": looking_back_table(),
    }
    return filled(page, tables)


def plotted(outcomes: dict[Scenario, Outcome]) -> str:
    """Return the plot of the scenarios with an outage."""
    struck = [one for one in SCENARIOS if one.outage]
    minutes = {one.name.removeprefix("outage, "): outcomes[one].minutes for one in struck}
    title = "Model: a million users in a day, and six hours in which Composio creates nothing"
    return drawn(title, minutes, struck[0].outage)


def _found(scenario: Scenario, outcome: Outcome) -> list[str]:
    end = scenario.outage.stop if scenario.outage else 0
    pending = [minute.pending for minute in outcome.minutes]
    drained = next(at for at in range(end, len(pending)) if pending[at] <= UNIT)
    delayed = sorted(outcome.delayed)
    return [
        f"{max(pending):,}",
        f"{max(minute.queued for minute in outcome.minutes):,}",
        f"{sum(minute.refused for minute in outcome.minutes):,}",
        f"{(drained - end) / 60:.1f} h" if scenario.outage else "-",
        f"{delayed[len(delayed) // 2] / 3600:.1f} h" if delayed else "-",
        f"{max(outcome.waits) / 3600:.1f} h" if delayed else f"{max(outcome.waits):.1f} s",
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the page and the plot."""
    outcomes = {scenario: simulate(scenario) for scenario in SCENARIOS}
    PAGE.write_text(rendered(PAGE.read_text(), outcomes))
    PLOT.write_text(plotted(outcomes))
    print(f"wrote {PAGE} and {PLOT}", file=sys.stderr)


if __name__ == "__main__":
    main()
