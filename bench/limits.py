"""What must be reached, and what is held today: one place for the bench and for the gates.

`target` is the aim; `gate` is what a change must not exceed: the target, or less where today's
measure and a small margin are below it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """The most that a figure may be."""

    target: float
    gate: float


# Ratios of instructions. A peer is compared as plain `sam build` leaves it: without bytecode.
RATIOS = {
    "webhook: start / floor": Limit(1.28, 1.28),
    "worker: start / floor": Limit(1.28, 1.28),
    "webhook: start / without bytecode": Limit(0.35, 0.35),
    "webhook: rejected / update_item": Limit(0.20, 0.20),
    "webhook: repeated / update_item": Limit(2.10, 2.10),
    "webhook: completing / its bare calls": Limit(1.12, 1.12),
    "webhook: first completing event's deferred work / floor": Limit(0.25, 0.25),
    "webhook: start / powertools, as sam builds it": Limit(0.35, 0.30),
    "webhook: start / powertools with bytecode": Limit(1.0, 0.92),
    "webhook: completing / powertools": Limit(0.50, 0.50),
}

# (DynamoDB, rest of AWS, Composio) round trips of a warm event, exactly.
TRIPS = {
    "rejected": (0, 0, 0),
    "incomplete": (1, 0, 0),
    "completing": (3, 0, 1),
    "repeated": (2, 0, 0),
}

# Units of capacity (read, written) of a warm event, exactly: items under 1 KB.
UNITS = {
    "rejected": (0, 0),
    "incomplete": (0, 1),
    "completing": (0, 5),
    "repeated": (0, 2),
}

# None of these is needed before the first event, or at all.
NOT_IMPORTED = frozenset(
    {
        "anyio",
        "asyncio",
        "aws_lambda_powertools.event_handler",
        "aws_lambda_powertools.utilities.parameters",
        "aws_xray_sdk",
        "httpcore",
        "httpx",
    }
)

MODULES = {"webhook": Limit(520, 520), "worker": Limit(580, 520)}
PACKAGE_MEGABYTES = Limit(30, 26)
