"""How the demo judges its own result."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.demo.actions import Actions
from local.demo.steps import READY, check
from local.timeline import Timeline

GOOD: dict[str, Any] = {
    "instances": 1,
    "created": 1,
    "overlap": 1,
    "statuses": ["ready"],
    "outcomes": [READY],
}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({}, []),
        ({"instances": 0, "created": 0}, ["instances of alice: 0", "succeeded: 0"]),
        ({"instances": 2}, ["instances of alice: 2"]),
        ({"created": 2}, ["create calls that succeeded: 2"]),
        ({"overlap": 2}, ["create calls at the same time: at most 2"]),
        ({"statuses": []}, ["the instance is missing"]),
        ({"statuses": ["retrying"]}, ["the instance is retrying"]),
        ({"outcomes": []}, ["alice: no event"]),
        ({"outcomes": [READY, READY]}, [f"{READY}, {READY}"]),
    ],
)
def test_everything_but_one_ready_instance_is_a_problem(
    found: dict[str, Any], wrong: list[str]
) -> None:
    found = GOOD | found
    call = {"created": found["created"], "max_in_flight": found["overlap"]}
    actions = SimpleNamespace(
        timeline=Timeline(),
        simulator=SimpleNamespace(
            state=lambda: {"instances": [{"instance_id": "alice"}] * found["instances"]},
            instance_posts=lambda _: [call],
        ),
        observer=SimpleNamespace(
            outcomes=lambda _: found["outcomes"],
            instances=lambda _: [{"status": each} for each in found["statuses"]],
        ),
    )
    problems = check(cast("Actions", actions), "alice")
    assert len(problems) == len(wrong)
    assert all(part in problem for part, problem in zip(wrong, problems, strict=True))
