"""The bus, as deployed: events in make instances, and exactly what is stored is told."""

import time

from handler.announcer import DETAIL_TYPES
from handler.targets import Kind, Status
from handler.telemetry import SERVICE
from tests.deployed.application import GMAIL, event, someone, until
from tests.deployed.finishing import Finishing
from tests.docs.events_doc import outcome_schema

READY, FAILED = (
    DETAIL_TYPES[Kind.INSTANCE, Status.READY],
    DETAIL_TYPES[Kind.INSTANCE, Status.FAILED],
)


def test_event_on_the_bus_makes_the_instance_and_its_outcome_is_told_once_it_is_stored(
    finishing: Finishing,
) -> None:
    ready, failed, waiting, retrying = (
        someone(name) for name in ("told", "refused", "half", "later")
    )
    finishing.composio.add_fault(
        method="POST", path="*/instances", user_id=failed, status=422, message="no", times=None
    )
    finishing.composio.add_fault(
        method="POST", path="*/instances", user_id=retrying, status=503, times=None
    )
    details = finishing.complete(ready, failed, retrying)
    told = []
    with finishing.listening() as heard:
        finishing.put([*details, event(finishing.account(waiting, GMAIL))])

        def both_told() -> bool:
            told.extend(heard())
            return len(told) >= 2 and finishing.idle()

        until(both_told, "both outcomes are told")
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


def test_own_events_never_come_back_in(finishing: Finishing) -> None:
    own, other = someone("own"), someone("other")
    since = time.time()
    # Not ACTIVE: else a sweep would find it.
    account = finishing.account(own, GMAIL, status="INITIATED")
    with finishing.listening() as heard:
        finishing.put([event(account)], source=SERVICE)
        finishing.put(finishing.complete(other))
        (told,) = until(heard, "the outcome is told")
    assert told["detail"]["user_id"] == other
    until(finishing.idle, "the queue is empty")
    assert finishing.row(own, "ACCOUNTS") == {}
    # Had the outcome come back in, the worker would not have understood it.
    assert "message not understood" not in finishing.worker_log(since)
    assert finishing.dead() == 0
    finishing.put([event(account)])
    until(lambda: finishing.row(own, "ACCOUNTS"), "from another source it is taken")
