"""Ways to spoil claims, create calls and what their answers mean."""

from tests.exploration.mutant import Mutant
from tests.exploration.promises import Promise

_TAKEN = '"attribute_not_exists(#pk) OR #due_at <= :now OR '

CREATION_MUTANTS = (
    Mutant(
        "drop the claim",
        Promise.ONE_OUTCOME,
        "target_table:TargetTable.claim",
        _TAKEN,
        _TAKEN.replace('"attribute', '"attribute_exists(#pk) OR attribute'),
    ),
    Mutant(
        "take another's claim for one's own",
        Promise.ONE_CALL,
        "targets:TargetRow.claimed_with",
        "self.status is Status.CREATING and self.claim_token == token",
        "self.status is Status.CREATING",
        "the last account, twice",
    ),
    Mutant(
        "settle without token",
        Promise.ONE_OUTCOME,
        "target_table:TargetTable.settle",
        '"#claim_token = :token AND #status = :creating"',
        '"#claim_token = :token OR #status = :creating OR attribute_exists(#pk)"',
    ),
    Mutant(
        "forget the claim on error",
        Promise.FINISHES,
        "creation:Creation.claim_and_create",
        'logger.exception("the claim is left to the sweep", target=target.key.sort_key)',
        "self.target_table.settle(claimed, Settlement(Status.WAITING), now=0)",
        "old accounts",
    ),
    Mutant(
        "treat 409 as failure",
        Promise.FINISHES,
        "decisions:meaning",
        "return Meaning.EXISTS if answer.problem.enveloped else Meaning.UNCLEAR",
        "return Meaning.REFUSED",
    ),
    Mutant(
        "ignore the lost answer",
        Promise.FINISHES,
        "creation:Creation._call_once",
        "    if may_have_created(answer):\n",
        "    if answer.status is None:\n"
        '        return Answer(422, problem=Problem("lost", enveloped=True))\n'
        "    if may_have_created(answer):\n",
    ),
    Mutant(
        "a lease shorter than the time-out",
        Promise.ONE_CALL,
        "creation:LEASE_SECONDS",
        "40",
        "20",
        "the last account, twice",
    ),
    Mutant(
        "a lease shorter than a call",
        Promise.ONE_CALL,
        "creation:LEASE_SECONDS",
        "40",
        "1",
    ),
    Mutant(
        "wait after 403 without a due time",
        Promise.FINISHES,
        "decisions:waiting",
        "Settlement(Status.WAITING, due_in, ",
        "Settlement(Status.WAITING, None, ",
        "old accounts, one expired",
    ),
    Mutant(
        "take 403 for success",
        Promise.TRUE,
        "decisions:meaning",
        "return Meaning.FORBIDDEN",
        "return Meaning.EXISTS",
        "expired before the last",
    ),
    Mutant(
        "claim without being due",
        Promise.FINISHES,
        "target_table:TargetTable.claim",
        '"due": DUE',
        '"undue": DUE',
        "old accounts",
    ),
    Mutant(
        "retry without being due",
        Promise.FINISHES,
        "target_table:settlement_to_row",
        '"due": None if settlement.due_in is None else DUE',
        '"due": None',
        "old accounts",
    ),
    Mutant(
        "create again what is ready",
        Promise.ONE_OUTCOME,
        "target_table:TargetTable.claim",
        "(#status IN (:waiting, :failed)",
        "#status <> :status OR (#status IN (:waiting, :failed)",
        "expired and back, in order",
    ),
    Mutant(
        "take the page of a proxy for a refusal",
        Promise.NOT_FINAL,
        "decisions:meaning",
        "status >= 500 or not answer.problem.enveloped",
        "status >= 500",
        odd=True,
    ),
    Mutant(
        "take any 2xx for success",
        Promise.TRUE,
        "decisions:meaning",
        "case status if 200 <= status < 300:\n            return Meaning.UNCLEAR",
        "case status if 200 <= status < 300:\n            return Meaning.EXISTS",
        odd=True,
    ),
    Mutant(
        "believe the list alone that an account is deleted",
        Promise.NOT_FINAL,
        "creation:Creation._correct",
        "found = self.composio.get_account(known.id, deadline=deadline)",
        "found = None",
        "old accounts, one expired and back",
        odd=True,
    ),
    Mutant(
        "never try again what has failed",
        Promise.FINISHES,
        "decisions:failed",
        "Settlement(Status.FAILED, due_in, ",
        "Settlement(Status.FAILED, None, ",
        "refused, and no news",
    ),
)
