"""Ways to spoil how sessions are made, and what is told of those that are left over."""

from tests.exploration.mutant import Mutant
from tests.exploration.promises import Promise

SESSION_MUTANTS = (
    Mutant(
        "make a session again that is ready",
        Promise.ONE_OUTCOME,
        "target_table:TargetTable.claim",
        "(#status IN (:waiting, :failed)",
        "#status <> :status OR (#status IN (:waiting, :failed)",
        "session, put when",
    ),
    Mutant(
        "make a session while another call is",
        Promise.ONE_CALL,
        "targets:TargetRow.claimed_with",
        "self.status is Status.CREATING and self.claim_token == token",
        "self.status is Status.CREATING",
        "session, the last account twice",
    ),
    Mutant(
        "put a profile without its back-fill",
        Promise.FINISHES,
        "catalog_table:CatalogTable._store",
        "if backfill_at is not None",
        "if False",
        "session, put when",
    ),
    Mutant(
        "ask for a session under the instance's claim",
        Promise.FINISHES,
        "target_table:target_key",
        "target.sort_key",
        "Kind.INSTANCE.name + '#' + target.name.replace('work', 'srv_demo')",
        "session and",
    ),
    Mutant(
        "count no session whose answer was lost",
        Promise.LEFT_OVER,
        "creation:Creation._call_once",
        "if may_have_created(answer)",
        "if answer.status and may_have_created(answer)",
        "session, put when",
    ),
    Mutant(
        "count no session of a process that died",
        Promise.LEFT_OVER,
        "creation:Creation.claim_and_create",
        "if claimed.interrupted:",
        "if False:",
        "session, put when",
    ),
)
