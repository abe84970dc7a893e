"""Ways to spoil the handler, each of which the exploration has to notice."""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.exploration.promises import Promise


@dataclass(frozen=True)
class Mutant:
    """A piece of source and what is put in its place."""

    name: str
    promise: Promise
    """The one that it breaks, and by which alone it is caught."""
    target: str
    """`module:Class.function`, `module:function` or, for a number, `module:NAME`."""
    old: str
    new: str
    place: str = ""
    """Where to look first: the beginning of the name of a plan, or of a case."""
    odd: bool = False
    """The fault may be an odd answer."""


def _owner(target: str) -> tuple[Any, Any, str]:
    module_name, _, path = target.partition(":")
    module = import_module(f"handler.{module_name}")
    owner: Any = module
    *outer, name = path.split(".")
    for one in outer:
        owner = getattr(owner, one)
    return module, owner, name


def _spoiled(module: Any, thing: Any, name: str, mutant: Mutant) -> Any:
    if isinstance(thing, int):
        assert str(thing) == mutant.old, f"{mutant.name} no longer applies: {thing}"
        return int(mutant.new)
    source = textwrap.dedent(inspect.getsource(thing))
    assert source.count(mutant.old) == 1, f"{mutant.name} no longer applies to\n{source}"
    made: dict[str, Any] = {}
    exec(source.replace(mutant.old, mutant.new), vars(module), made)  # noqa: S102
    return made[name]


def _holders(owner: Any, thing: Any, name: str) -> list[Any]:
    """Return who has to get the spoiled thing: a function is imported by name, too."""
    if isinstance(thing, int) or inspect.isclass(owner):
        return [owner]
    modules = [one for path, one in sys.modules.items() if path.startswith("handler.")]
    return [one for one in modules if vars(one).get(name) is thing]


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Spoil the handler for a while."""
    module, owner, name = _owner(mutant.target)
    thing = getattr(owner, name)
    spoiled = _spoiled(module, thing, name, mutant)
    holders = _holders(owner, thing, name)
    for holder in holders:
        setattr(holder, name, spoiled)
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, thing)


_TAKEN = '"attribute_not_exists(#pk) OR #due_at <= :now OR '

MUTANTS = (
    Mutant(
        "drop the claim",
        Promise.ONE_OUTCOME,
        "user_table:UserTable.claim",
        _TAKEN,
        _TAKEN.replace('"attribute', '"attribute_exists(#pk) OR attribute'),
    ),
    Mutant(
        "take another's claim for one's own",
        Promise.ONE_CALL,
        "values:TargetRow.claimed_with",
        "self.status is Status.CREATING and self.claim_token == token",
        "self.status is Status.CREATING",
        "the last account, twice",
    ),
    Mutant(
        "settle without token",
        Promise.ONE_OUTCOME,
        "user_table:UserTable.settle",
        '"#claim_token = :token AND #status = :creating"',
        '"#claim_token = :token OR #status = :creating OR attribute_exists(#pk)"',
    ),
    Mutant(
        "dedupe by event id first",
        Promise.FINISHES,
        "provisioning:Provisioning.handle_fact",
        "    if not view.up_to_date:\n",
        '    if not facts.recorded:\n        return Handled(ignored="seen before")\n'
        "    if not view.up_to_date:\n",
    ),
    Mutant(
        "forget the claim on error",
        Promise.FINISHES,
        "creation:Creation.claim_and_create",
        'logger.exception("the claim is left to the sweep", server_id=server.id)',
        "self.user_table.settle(claimed, Settlement(Status.WAITING), now=0)",
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
        "creation:Creation._call",
        "answer = create()\n",
        "answer = create()\n    if answer.status is None:\n"
        '        return Answer(422, problem=Problem("lost", enveloped=True))\n',
    ),
    Mutant(
        "skip the watermark overlap",
        Promise.FINISHES,
        "sweep:Sweep._recent",
        "walk.read_until - OVERLAP_SECONDS",
        "walk.read_until",
        "activated",
    ),
    Mutant(
        "advance the watermark before recording",
        Promise.FINISHES,
        "sweep:Sweep._recent",
        "    ended = self._go_on(",
        "    self.walk_table.end(walk._replace(read_until=now))\n    ended = self._go_on(",
        "a sweep after a long pause",
    ),
    Mutant(
        "let an older fact win",
        Promise.ORDER,
        "fact_table:FactTable._record",
        "#account.#updated_at < :updated_at",
        "#account.#updated_at <> :updated_at",
        "expired and back, reversed",
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
        "the sweep skips what is due",
        Promise.FINISHES,
        "sweep:Sweep.run",
        "(self._due, self._catalog_part, self._recent)",
        "(self._catalog_part, self._recent)",
        "old accounts",
    ),
    Mutant(
        "the sweep skips the recent accounts",
        Promise.FINISHES,
        "sweep:Sweep.run",
        "(self._due, self._catalog_part, self._recent)",
        "(self._due, self._catalog_part)",
        "none is sent",
    ),
    Mutant(
        "say 200 to a failed claim",
        Promise.FINISHES,
        "provisioning:Provisioning._provision",
        "errors.append(error)",
        "outcomes.append(Outcome(server.id, Status.CREATING))",
        "old accounts",
    ),
    Mutant(
        "the sweep trusts that what is known was decided",
        Promise.FINISHES,
        "provisioning:Provisioning._settled",
        "missing(one.required, facts.active)\n",
        "bool(one)\n",
        "one after the other",
    ),
    Mutant(
        "say 200 where nothing was recorded",
        Promise.KEPT,
        "webhook:Webhook.answer",
        "Refused(503,",
        "Refused(200,",
    ),
    Mutant(
        "delete the message that failed",
        Promise.KEPT,
        "worker:Worker.work",
        'failed.append({"itemIdentifier": record["messageId"]})',
        "pass",
        "one after the other, by the bus",
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
        "user_table:UserTable.claim",
        '"due": DUE',
        '"undue": DUE',
        "old accounts",
    ),
    Mutant(
        "retry without being due",
        Promise.FINISHES,
        "user_table:settlement_to_row",
        '"due": None if settlement.due_in is None else DUE',
        '"due": None',
        "old accounts",
    ),
    Mutant(
        "know a new server without its back-fill",
        Promise.FINISHES,
        "decisions:needs_backfill",
        "before.required != after.required",
        "False",
        "the server needs less",
    ),
    Mutant(
        "back-fill only what needs less",
        Promise.FINISHES,
        "decisions:needs_backfill",
        "before.required != after.required",
        "bool(before.required - after.required)",
        "the server needs more",
    ),
    Mutant(
        "back-fill before the others have forgotten",
        Promise.FINISHES,
        "catalog:Catalog._write",
        "+ MEMORY_SECONDS",
        "",
        "the server needs more, and an old account is back",
    ),
    Mutant(
        "end another's back-fill",
        Promise.FINISHES,
        "walk_table:WalkTable._update",
        '"#token = :token"',
        '"attribute_exists(#cursor) OR #token = :token"',
        "the server needs less, and",
    ),
    Mutant(
        "create again what is ready",
        Promise.ONE_OUTCOME,
        "user_table:UserTable.claim",
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
        "believe at once that nobody has an account",
        Promise.NOT_FINAL,
        "sweep:_to_be_repeated",
        "walk.emptied == 1",
        "False",
        "a sweep after a long pause",
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
        "believe one answer that there is no such account",
        Promise.NOT_FINAL,
        "provisioning:Provisioning._handle",
        "(event.user_id or found is None)",
        "event.user_id",
        "an old account, only named",
        odd=True,
    ),
    Mutant(
        "believe one answer that there is no such server",
        Promise.NOT_FINAL,
        "readings:Known.after",
        "now - since < ABSENT_SECONDS",
        "False",
        "refused, and no news",
        odd=True,
    ),
    Mutant(
        "let an event stand against what is read",
        Promise.FINISHES,
        "fact_table:FactTable._record",
        "if account.read:",
        "if False:",
        "disabled before the last",
    ),
    Mutant(
        "believe an event from the future",
        Promise.FINISHES,
        "provisioning:CLOCKS_DIFFER_SECONDS",
        "300",
        "90000000000",
        "expired in the future",
    ),
    Mutant(
        "never try again what has failed",
        Promise.FINISHES,
        "decisions:failed",
        "Settlement(Status.FAILED, due_in, ",
        "Settlement(Status.FAILED, None, ",
        "refused, and no news",
    ),
    Mutant(
        "walk once over a list that shifts",
        Promise.FINISHES,
        "sweep:_to_be_repeated",
        "walk.news > 0 and walk.place.pages > 0",
        "False",
        "a back-fill, and an account of the page before goes",
    ),
    Mutant(
        "let one account stop a walk",
        Promise.ISOLATED,
        "account_walk:MOST_FAILING",
        "10",
        "1",
        "a full item",
    ),
    Mutant(
        "take a server that comes back for the one that left",
        Promise.FINISHES,
        "catalog:Catalog._write",
        "None if before.left else before.server",
        "before.server",
        "enrolled again",
    ),
)
