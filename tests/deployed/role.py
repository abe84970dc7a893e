"""The role of a deployed function, and what is taken from it for a while."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.deployed.application import SERVER, Deployed, publish


def policy(deployed: Deployed, function: str) -> dict[str, Any]:
    """Return the one policy of the function's role."""
    found = deployed.iam.get_role_policy(**_named(deployed, function))
    document = found["PolicyDocument"]
    return json.loads(document) if isinstance(document, str) else dict(document)


def actions(statement: dict[str, Any]) -> list[str]:
    """Return what a statement allows."""
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


@contextlib.contextmanager
def without(deployed: Deployed, function: str, action: str, sid: str = "") -> Iterator[None]:
    """Take just this action away, for as long as the context lasts.

    Args:
        deployed: The application.
        function: The name of the function.
        action: The action.
        sid: The statement to take it from; from all of them without one.
    """
    document = policy(deployed, function)
    narrowed = [
        {**statement, "Action": left}
        for statement in document["Statement"]
        if (left := [one for one in actions(statement) if not _is(one, statement, action, sid)])
    ]
    _put(deployed, function, {**document, "Statement": narrowed})
    try:
        yield
    finally:
        _put(deployed, function, document)


def begin_anew(deployed: Deployed, function: str) -> None:
    """Let the function know nothing from before: neither in memory nor in the catalog."""
    for sk in (f"SERVER#{SERVER}", "SYNCED"):
        key = {"pk": {"S": "CATALOG"}, "sk": {"S": sk}}
        deployed.dynamodb.delete_item(TableName=deployed.stack.table_name, Key=key)
    publish(deployed, function)


def _is(one: str, statement: dict[str, Any], action: str, sid: str) -> bool:
    return one == action and sid in {"", statement["Sid"]}


def _put(deployed: Deployed, function: str, document: dict[str, Any]) -> None:
    deployed.iam.put_role_policy(**_named(deployed, function), PolicyDocument=json.dumps(document))


def _named(deployed: Deployed, function: str) -> Any:
    found = deployed.functions.get_function_configuration(FunctionName=function)
    role = found["Role"].rsplit("/", 1)[-1]
    (name,) = deployed.iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {"RoleName": role, "PolicyName": name}
