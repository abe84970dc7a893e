"""Session profiles: what the operator asks for, and the rows of the catalog that hold it."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from handler.catalog import MEMORY_SECONDS
from handler.catalog_table import catalog_key
from handler.dynamodb import to_item
from handler.targets import Kind, Target, TargetId, session_profile
from handler.transport import Unavailable
from provisioner.errors import Trouble
from provisioner.stack import Stack, soon

NAME = r"[A-Za-z0-9_-]{1,128}"
OURS = ("user_id", "toolkits", "auth_configs")
"""What each session's creation is given from the profile and the user."""


def _others(create: dict[str, Any]) -> dict[str, Any]:
    if given := [name for name in OURS if name in create]:
        raise ValueError(f"{', '.join(given)}: comes from the profile and the user")
    return create


def _distinct(auth_configs: dict[str, str]) -> dict[str, str]:
    if len(set(auth_configs.values())) < len(auth_configs):
        raise ValueError("an auth config is of one toolkit only")
    return auth_configs


class Asked(BaseModel):
    """A profile as a file has it; `auth_configs` is the auth config of each toolkit."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=rf"^{NAME}$")
    auth_configs: Annotated[dict[str, str], AfterValidator(_distinct)] = Field(min_length=1)
    create: Annotated[dict[str, Any], AfterValidator(_others)] = {}

    def target(self) -> Target:
        """Return it as a value."""
        toolkits = {auth_config: toolkit for toolkit, auth_config in self.auth_configs.items()}
        return session_profile(self.name, toolkits, self.create)


def read(text: str) -> list[Target]:
    """Return the profiles of a file, which is a JSON list of `Asked`; raises Trouble if not."""
    try:
        asked = TypeAdapter(list[Asked]).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise Trouble(f"{where}: {first['msg']}", "see docs/sessions.md") from None
    return [one.target() for one in asked]


def asked(name: str, auth_configs: Sequence[str], create: str | None) -> Target:
    """Return the profile that the options ask for; raises Trouble if they cannot be understood.

    Each auth config is `toolkit=auth config`; `create` is the text of a JSON object.
    """
    pairs = [one.partition("=") for one in auth_configs]
    wanted = {"name": name, "auth_configs": {toolkit: one for toolkit, _, one in pairs}}
    if len(wanted["auth_configs"]) < len(pairs) or not all(one for *_, one in pairs):
        raise Trouble("each toolkit once, as TOOLKIT=AUTH_CONFIG", "--auth-config gmail=ac_1")
    try:
        further = json.loads(create or "{}")
    except ValueError as error:
        raise Trouble(f"the file of --create is not JSON: {error}", "a JSON object") from None
    return read(json.dumps([wanted | {"create": further}]))[0]


def imported(stack: Stack, server_id: str, name: str | None) -> Target:
    """Return a profile that requires what an MCP server does, which may be gone at Composio.

    Raises:
        Trouble: Nothing is known of the server, or a profile cannot say what it requires.
    """
    stored = stack.catalog_table.catalog().known(server_id).server
    try:
        server = stack.composio.get_server(server_id, deadline=soon())
    except Unavailable as nothing:
        if stored is None:
            raise
        server = Target(server_id, frozenset(), gone=nothing.problem.status is not None)
    if not server.required and stored is not None:
        server = stored
    if not server.required:
        raise Trouble(f"nothing is known of what {server_id} requires", "provisioner profile put")
    known = dict(stored.toolkits) if stored else {}
    if server.required - known.keys():
        known |= stack.composio.toolkits(deadline=soon())
    pairs = [f"{known.get(one, '?')}={one}" for one in sorted(server.required)]
    if not (name or re.fullmatch(NAME, server.name)):
        raise Trouble(f"the name of {server_id} is none for a profile", "--name NAME")
    return asked(name or server.name, pairs, None)


def check(stack: Stack, profiles: Sequence[Target]) -> None:
    """Ask Composio whether the auth configs exist, are enabled, and are of these toolkits.

    A profile must not have the id of an MCP server, as commands name either.

    Raises:
        Trouble: One is not; lists all of them.
        Unavailable: Composio cannot be asked.
    """
    known = stack.composio.toolkits(deadline=soon())
    servers = stack.catalog_table.catalog().servers
    wrong = [f"{one.id} is the id of an MCP server" for one in profiles if one.id in servers]
    wrong += [
        f"{one.id}: {auth_config} is of {known[auth_config]}, not of {toolkit}"
        if auth_config in known
        else f"{one.id}: {auth_config} does not exist at Composio, or is disabled"
        for one in profiles
        for auth_config, toolkit in one.toolkits.items()
        if known.get(auth_config) != toolkit
    ]
    if wrong:
        raise Trouble("; ".join(wrong), "correct the profile; nothing was written")


def put(stack: Stack, profile: Target) -> bool:
    """Store a profile, and have its users back-filled; False where it is there as it is."""
    if profile in stack.catalog_table.catalog().profiles:
        return False
    # Until then the functions remember the profiles as they were.
    backfill_at = int(time.time()) + MEMORY_SECONDS
    stack.catalog_table.store_profile(profile, backfill_at=backfill_at)
    return True


def found(stack: Stack, name: str) -> Target:
    """Return the profile of this name; raises Trouble if there is none."""
    profiles = {one.id: one for one in stack.catalog_table.catalog().profiles}
    if name not in profiles:
        known = ", ".join(profiles) or "there is none"
        raise Trouble(f"there is no session profile {name}", f"one of: {known}")
    return profiles[name]


def remove(stack: Stack, name: str) -> None:
    """Remove a profile; the sessions that were made of it stay at Composio, and in the table."""
    key = to_item(catalog_key(TargetId(Kind.SESSION, name)))
    stack.dynamodb.delete_item(TableName=stack.outputs["TableName"], Key=key)


def told(profile: Target) -> Mapping[str, Any]:
    """Return a profile as a file has it."""
    auth_configs = {toolkit: one for one, toolkit in sorted(profile.toolkits.items())}
    return {"name": profile.id, "auth_configs": auth_configs, "create": profile.create}
