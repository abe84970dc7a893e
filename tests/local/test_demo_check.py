"""How the demo judges its own result."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.demo.actions import Actions
from local.demo.steps import KINDS, READY, check
from local.timeline import Timeline

GOOD: dict[str, Any] = {
    "instances": 1,
    "sessions": 1,
    "created": [1, 1],
    "overlap": 1,
    "targets": ["ready", "ready"],
    "outcomes": READY,
}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({}, []),
        ({"instances": 0, "created": [0, 1]}, ["instances of alice: 0", "succeeded: 1"]),
        ({"instances": 2}, ["instances of alice: 2"]),
        ({"sessions": 2, "created": [1, 2]}, ["sessions of alice: 2", "succeeded: 3"]),
        ({"overlap": 2}, ["create calls at the same time: at most 2"]),
        ({"targets": []}, ["table: nothing"]),
        ({"targets": ["ready", "retrying"]}, ["instance ready, session retrying"]),
        ({"outcomes": []}, ["alice: no event"]),
        ({"outcomes": [READY[0], *READY]}, [f"{READY[0]}, {READY[0]}"]),
    ],
)
def test_everything_but_one_ready_instance_and_session_is_a_problem(
    found: dict[str, Any], wrong: list[str]
) -> None:
    found = GOOD | found
    calls = [{"created": each, "max_in_flight": found["overlap"]} for each in found["created"]]
    actions = SimpleNamespace(
        timeline=Timeline(),
        simulator=SimpleNamespace(
            state=lambda: {
                "instances": [{"instance_id": "alice"}] * found["instances"],
                "sessions": [{"user_id": "alice"}] * found["sessions"],
            },
            instance_posts=lambda _: calls[:1],
            session_posts=lambda _: calls[1:],
        ),
        observer=SimpleNamespace(
            outcomes=lambda *_: found["outcomes"],
            targets=lambda _: [
                {"sk": f"{kind.upper()}#work", "status": status}
                for kind, status in zip(KINDS, found["targets"], strict=False)
            ],
        ),
    )
    problems = check(cast("Actions", actions), "alice")
    assert len(problems) == len(wrong)
    assert all(part in problem for part, problem in zip(wrong, problems, strict=True))
