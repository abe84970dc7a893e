"""Events on the bus create instances, and exactly the stored outcomes are announced."""

import time

from handler.announcer import DETAIL_TYPES
from handler.targets import Kind, Status
from handler.telemetry import SERVICE
from tests.deployed.application import GMAIL, event, someone, until
from tests.deployed.finishing import Finishing
from tests.docs.events_doc import outcome_schema

READY = DETAIL_TYPES[Kind.INSTANCE, Status.READY]
FAILED = DETAIL_TYPES[Kind.INSTANCE, Status.FAILED]


def test_event_on_the_bus_creates_the_instance_and_the_stored_outcome_is_announced(
    finishing: Finishing,
) -> None:
    ready, failed, waiting, retrying = map(someone, ("ready", "refused", "half", "later"))
    for user, status in {failed: 422, retrying: 503}.items():
        finishing.composio.add_fault(
            method="POST", path="*/instances", user_id=user, status=status, times=None
        )
    details = finishing.complete(ready, failed, retrying)
    told = []
    with finishing.listening() as heard:
        finishing.put([*details, event(finishing.account(waiting, GMAIL))])

        def both_told() -> bool:
            told.extend(heard())
            return len(told) >= 2 and finishing.idle()

        until(both_told, "both outcomes are announced")
        until(lambda: finishing.statuses([retrying]) == {retrying: "retrying"}, "it retries")
        told.extend(heard())
    assert sorted((one["detail-type"], one["detail"]["user_id"]) for one in told) == sorted(
        [(READY, ready), (FAILED, failed)]
    )
    for one in told:
        outcome_schema(one["detail-type"]).validate(one)
        row = finishing.row(one["detail"]["user_id"])
        assert (one["detail"]["id"], one["detail"]["status"]) == (row["claim_token"], row["status"])
    assert finishing.posts(ready)["created"] == 1


def test_own_events_are_not_taken_from_the_bus(finishing: Finishing) -> None:
    own, other = someone("own"), someone("other")
    since = time.time()
    # Not ACTIVE, or a sweep would find it.
    account = finishing.account(own, GMAIL, status="INITIATED")
    with finishing.listening() as heard:
        finishing.put([event(account)], source=SERVICE)
        finishing.put(finishing.complete(other))
        (told,) = until(heard, "the outcome is announced")
    assert told["detail"]["user_id"] == other
    until(finishing.idle, "the queue is empty")
    assert finishing.row(own, "ACCOUNTS") == {}
    # An outcome that came back in would not be understood.
    assert "message not understood" not in finishing.worker_log(since)
    assert finishing.dead() == 0
    finishing.put([event(account)])
    until(lambda: finishing.row(own, "ACCOUNTS"), "the same event from another source is recorded")
