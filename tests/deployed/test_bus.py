"""The bus, as deployed: events in make instances, and exactly what is stored is told."""

import json
import time

from handler.announcer import DETAIL_TYPES
from handler.telemetry import SERVICE
from handler.values import Status
from tests.deployed.application import GMAIL, event, someone, until
from tests.deployed.finishing import Finishing
from tests.docs.events_doc import OUT_PATTERN, outcome_schema

READY, FAILED = DETAIL_TYPES[Status.READY], DETAIL_TYPES[Status.FAILED]


def test_event_on_the_bus_makes_the_instance_and_its_outcome_is_told_once_it_is_stored(
    finishing: Finishing,
) -> None:
    finishing.ear.listen(json.dumps(OUT_PATTERN))
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
    finishing.put([*details, event(finishing.account(waiting, GMAIL))])

    told = []

    def both_told() -> bool:
        told.extend(finishing.ear.heard())
        return len(told) >= 2 and finishing.idle()

    until(both_told, "both outcomes are told")
    until(lambda: finishing.statuses([retrying])[retrying] == "retrying", "the other one retries")
    told.extend(finishing.ear.heard())
    assert sorted((one["detail-type"], one["detail"]["user_id"]) for one in told) == sorted(
        [(READY, ready), (FAILED, failed)]
    )
    for one in told:
        outcome_schema(one["detail-type"]).validate(one)
        row = finishing.row(one["detail"]["user_id"])
        assert (one["detail"]["id"], one["detail"]["status"]) == (row["claim_token"], row["status"])
        pattern = json.dumps(OUT_PATTERN)
        assert finishing.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(one))
    assert finishing.posts(ready)["created"] == 1


def test_own_events_never_come_back_in(finishing: Finishing) -> None:
    own, other = someone("own"), someone("other")
    since = time.time()
    finishing.ear.listen(json.dumps(OUT_PATTERN))
    # Not ACTIVE: else a sweep would find it.
    account = finishing.account(own, GMAIL, status="INITIATED")
    finishing.put([event(account)], source=SERVICE)
    finishing.put(finishing.complete(other))
    (told,) = until(finishing.ear.heard, "the outcome is told")
    assert told["detail"]["user_id"] == other
    until(finishing.idle, "the queue is empty")
    assert finishing.row(own, "ACCOUNTS") == {}
    # Had the outcome come back in, the worker would not have understood it.
    assert "message not understood" not in finishing.worker_log(since)
    assert finishing.dead() == 0
    finishing.put([event(account)])
    until(lambda: finishing.row(own, "ACCOUNTS"), "from another source it is taken")
