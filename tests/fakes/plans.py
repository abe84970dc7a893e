"""Requests' expressions, compiled once per text and placeholders and kept."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tests.fakes import conditions, updates
from tests.fakes.checks import Check, condition_checks, update_checks
from tests.fakes.conditions import Predicate
from tests.fakes.errors import InvalidRequestError
from tests.fakes.grammar import Vocabulary
from tests.fakes.keyconditions import KeyCondition, primary_names, read_key_condition
from tests.fakes.parsing import ConditionReader, UpdateReader, read_projection
from tests.fakes.paths import Path
from tests.fakes.schema import KEY, KEYS
from tests.fakes.tree import Condition
from tests.fakes.updates import Change
from tests.fakes.values import Item, admitted_item

type Placeholders = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]


class Writing(NamedTuple):
    """What a write does, given the old item and the request's values."""

    condition: Predicate | None
    change: Change | None
    targets: tuple[Path, ...]
    checks: tuple[Check, ...]


class Reading(NamedTuple):
    """What a read selects."""

    key: KeyCondition | None
    filter: Predicate | None
    projection: tuple[Path, ...] | None
    checks: tuple[Check, ...]


def placeholders(request: Mapping[str, Any], *expressions: str) -> tuple[Placeholders, Item]:
    """What the cache is keyed by, and the request's values, checked."""
    names = request.get("ExpressionAttributeNames")
    values = request.get("ExpressionAttributeValues")
    if names is None and values is None:
        return ((), ()), {}
    admitted = admitted_item(values or {})
    for field, given in (("Names", names), ("Values", values)):
        if given is not None and not given:
            raise InvalidRequestError(f"ExpressionAttribute{field} must not be empty")
        if given is not None and not any(one in request for one in expressions):
            raise InvalidRequestError(
                f"ExpressionAttribute{field} can only be specified when using expressions"
            )
    return (tuple((names or {}).items()), tuple(admitted)), admitted


@lru_cache(maxsize=4096)
def writing(condition: str | None, update: str | None, given: Placeholders) -> Writing:
    """The plan of a write."""
    vocabulary = _vocabulary(given)
    checks: list[Check] = []
    test = change = None
    targets: tuple[Path, ...] = ()
    if update is not None:
        changes = UpdateReader("UpdateExpression", update, vocabulary).read()
        checks += update_checks(changes)
        change, targets = updates.compiled(changes), changes.targets
    if condition is not None:
        tree = _condition("ConditionExpression", condition, vocabulary)
        checks += condition_checks(tree)
        test = conditions.compiled(tree)
    vocabulary.check_all_used()
    for path in targets:
        if path[0] in KEYS[None]:
            raise InvalidRequestError(
                f"One or more parameter values were invalid: Cannot update attribute {path[0]}. "
                "This attribute is part of the key"
            )
    return Writing(test, change, targets, tuple(checks))


@lru_cache(maxsize=4096)
def reading(
    key: str | None,
    filtering: str | None,
    projection: str | None,
    index: str | None,
    given: Placeholders,
) -> Reading:
    """The plan of a read."""
    vocabulary = _vocabulary(given)
    checks: list[Check] = []
    selection = test = paths = None
    if key is not None:
        tree = _condition("KeyConditionExpression", key, vocabulary)
        selection = read_key_condition(tree, KEYS[index])
        checks += condition_checks(tree)
    if filtering is not None:
        tree = _condition("FilterExpression", filtering, vocabulary)
        if key is not None and (named := primary_names(tree, KEYS[index])):
            raise InvalidRequestError(
                "Filter Expression can only contain non-primary key attributes: "
                f"Primary key attribute: {named}"
            )
        checks += condition_checks(tree)
        test = conditions.compiled(tree)
    if projection is not None:
        paths = read_projection(projection, vocabulary)
        _check_projected(paths, index)
    vocabulary.check_all_used()
    return Reading(selection, test, paths, tuple(checks))


def _check_projected(paths: tuple[Path, ...], index: str | None) -> None:
    held = {*KEY, *KEYS[index]}
    if index and (others := [str(path[0]) for path in paths if path[0] not in held]):
        raise InvalidRequestError(
            "One or more parameter values were invalid: "
            f"Global secondary index {index} does not project {others}"
        )


def _condition(kind: str, text: str, vocabulary: Vocabulary) -> Condition:
    return ConditionReader(kind, text, vocabulary).read()


def _vocabulary(given: Placeholders) -> Vocabulary:
    names, refs = given
    for mark, field, ones in (("#", "Names", [name for name, _ in names]), (":", "Values", refs)):
        for one in ones:
            if not (one.startswith(mark) and one[1:].replace("_", "a").isalnum()):
                raise InvalidRequestError(
                    f'ExpressionAttribute{field} contains invalid key: Syntax error; key: "{one}"'
                )
    return Vocabulary(dict(names), refs)
