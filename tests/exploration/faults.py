"""The calls at which a fault can happen, and the faults."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """What happens to one call."""

    REFUSED = "fails before it takes effect"
    LOST = "takes effect, the answer is lost"
    DIES_BEFORE = "the process dies before"
    DIES_AFTER = "the process dies after"
    TWICE = "is sent twice, the second answer counts"
    LATE = "times out, and is applied later"
    ARRIVES = "arrives now"
    IGNORED = "is answered 200 and takes nothing"
    BAD_REQUEST = "is answered 400 for no reason"
    FORBIDDEN = "is answered 403 for no reason"
    NOT_FOUND = "is answered 404 for no reason"
    LIMITED = "is answered 429"
    PAGE = "is answered 200 with the page of a proxy"
    PAGE_404 = "is answered 404 with the page of a proxy"
    NOTHING = "is answered 200 with {}"
    EMPTY = "is answered 200 with an empty list"


class FaultPoint(NamedTuple):
    """One call: who makes it, to what, and what kind of call it is."""

    who: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.who}: {self.name}"


REFUSALS = frozenset({Fault.BAD_REQUEST, Fault.FORBIDDEN, Fault.NOT_FOUND})
"""In Composio's own form."""
_ODD = (*sorted(REFUSALS), Fault.LIMITED, Fault.PAGE, Fault.PAGE_404, Fault.NOTHING, Fault.EMPTY)
ODD = frozenset(_ODD)
"""Answers of Composio that are wrong once; they take no effect."""

_READ = (Fault.REFUSED, Fault.DIES_BEFORE)
_WRITE = (Fault.REFUSED, Fault.LOST, Fault.DIES_BEFORE, Fault.DIES_AFTER)
FAULTS: dict[str, tuple[Fault, ...]] = {
    # A read has no effect: to fail or die after it is to fail or die before the next call.
    "dynamodb read": _READ,
    # botocore repeats a write whose answer is lost: the second fails on the first's condition.
    "dynamodb write": (*_WRITE, Fault.TWICE, Fault.LATE),
    # A lost answer takes its time-out, which a refusal does not.
    "http read": (*_READ, Fault.LOST, *_ODD),
    "create begins": _READ,
    "create is answered": (Fault.LOST, Fault.DIES_BEFORE, Fault.DIES_AFTER, *_ODD),
    "sqs read": _READ,
    "sqs write": _WRITE,
    "sqs send": (*_WRITE, Fault.TWICE, Fault.IGNORED),
    "secret": _READ,
    "answer": (Fault.LOST,),
    "delete": (Fault.LOST,),
    "tick": (Fault.LOST, Fault.TWICE),
    "late": (Fault.ARRIVES,),
}

type Chooser = Callable[[FaultPoint], Fault | None]


def cost(fault: Fault) -> int:
    """What a fault costs of the budget; a late write that arrives was paid for when it was sent."""
    return 0 if fault is Fault.ARRIVES else 1


class Killed(BaseException):
    """The process is gone; a BaseException, so that nothing in the handler catches it."""
