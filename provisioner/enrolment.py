"""Which MCP servers are enrolled: how many users each concerns, and how the stack is changed."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import WaiterError

from handler.events import Account
from handler.paging import Place
from handler.targets import Target
from provisioner.errors import Trouble
from provisioner.stack import Stack

MOST_PAGES = 100
"""Of a hundred accounts each, newest first. With more, the number of users is a lower bound."""
_UPDATE_SECONDS = 3600
"""A gradual Rollout takes half an hour."""


class Followers(NamedTuple):
    """How many users have connected all that an MCP server requires, by its id.

    `complete` is False where there are more accounts than were read.
    """

    users: Mapping[str, int]
    complete: bool

    def of(self, server_id: str) -> str:
        """Return their number, as "at least 3 users"."""
        number = self.users.get(server_id, 0)
        said = f"{number} user{'s'[: number != 1]}"
        return said if self.complete else f"at least {said}"


def followers(stack: Stack, servers: Collection[Target], most_pages: int) -> Followers:
    """Count them, from the active accounts at Composio; raises Unavailable."""
    required = frozenset[str]().union(*(server.required for server in servers))
    pages = list(
        islice(
            stack.composio.active_accounts(
                Place(), auth_config_ids=required or None, deadline=float("inf")
            ),
            # Where nothing is required, the first page shows whether accounts can be read.
            most_pages if required else 1,
        )
    )
    facts = [fact for page in pages for one in page.accounts if (fact := one.fact())]
    return Followers(counted(servers, facts), not required or pages[-1].following is None)


def counted(servers: Iterable[Target], accounts: Iterable[Account]) -> dict[str, int]:
    """Return how many users have an active account for all that each server requires."""
    connected = defaultdict[str, set[str]](set)
    for account in accounts:
        if account.active:
            connected[account.user_id].add(account.auth_config_id)
    return {
        server.id: sum(server.required <= theirs for theirs in connected.values())
        for server in servers
        if server.required
    }


def following(release: str) -> str:
    """Return another Release, whose number is one higher."""
    name, number = re.fullmatch(r"(.*?)(\d*)", release).groups()  # type: ignore[union-attr]
    return f"{name}{int(number or 1) + 1}"


def enrol(stack: Stack, server_ids: str) -> dict[str, str]:
    """Update the stack to these McpServerIds, and return the parameters that it has changed.

    It takes until the stack is updated: minutes, or as long as its Rollout. Raises Trouble if the
    update fails.
    """
    changed = {"McpServerIds": server_ids, "Release": following(stack.parameters["Release"])}
    client = stack.client("cloudformation")
    kept = [name for name in stack.parameters if name not in changed]
    client.update_stack(
        StackName=stack.name,
        UsePreviousTemplate=True,
        Parameters=[
            *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
            *({"ParameterKey": name, "ParameterValue": one} for name, one in changed.items()),
        ],
        # The first as `sam deploy`; the second as the template is SAM's.
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    delay = 1 if stack.emulated else 5
    config: Any = {"Delay": delay, "MaxAttempts": _UPDATE_SECONDS // delay}
    try:
        waiter = client.get_waiter("stack_update_complete")
        waiter.wait(StackName=stack.name, WaiterConfig=config)
    except WaiterError:
        events = f"{stack.aws_command} cloudformation describe-stack-events"
        raise Trouble(
            f"the stack {stack.name} was not updated", f"{events} --stack-name {stack.name}"
        ) from None
    return changed
