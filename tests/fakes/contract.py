"""What the contract's cases are written in: a table that is the fake's or the emulator's."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.emulator import REGION, emulator
from tests.fakes.dynamodb import FakeDynamoDB

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]
type Test = Callable[..., None]

KEY: Item = {"pk": {"S": "USER#u"}, "sk": {"S": "ACCOUNTS"}}


def s(text: str) -> Item:
    """A string."""
    return {"S": text}


def n(number: float | str) -> Item:
    """A number."""
    return {"N": str(number)}


def m(**members: Item) -> Item:
    """A map."""
    return {"M": members}


def items(*members: Item) -> Item:
    """A list."""
    return {"L": list(members)}


class Subject:
    """One table behind a client, with the parameters that cases repeat filled in."""

    def __init__(self, client: "DynamoDBClient", name: str, *, emulated: bool = False) -> None:
        self.client = client
        self.name = name
        self.emulated = emulated
        self._written: dict[str, Item] = {}

    def call(self, operation: str, **request: object) -> Item:
        """Any operation on the table."""
        answer: Item = getattr(self.client, operation)(TableName=self.name, **request)
        if operation in ("put_item", "update_item"):
            self._remember(request)
        return answer

    def _remember(self, request: Mapping[str, Any]) -> None:
        item = request.get("Key") or request["Item"]
        key = {name: item[name] for name in KEY}
        self._written[repr(key)] = key

    def put(self, item: Item | None = None, **request: object) -> Item:
        """PutItem; a key that is not in the item is KEY."""
        return self.call("put_item", Item=KEY | (item or {}), **request)

    def get(self, key: Item = KEY) -> Item | None:
        """The item as it is, its sets sorted."""
        answer = self.call("get_item", Key=key, ConsistentRead=True)
        return sorted_sets(answer["Item"]) if "Item" in answer else None

    def update(
        self,
        update: str | None,
        values: Item | None = None,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        **request: object,
    ) -> Item:
        """UpdateItem, of KEY unless another is given."""
        optional = {
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ExpressionAttributeNames": names,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return self.call("update_item", **{"Key": KEY, **given, **request})

    def query(self, condition: str, values: Item, **request: object) -> Item:
        """Query."""
        return self.call(
            "query", KeyConditionExpression=condition, ExpressionAttributeValues=values, **request
        )

    def transact(self, *actions: tuple[str, Item], **request: object) -> Item:
        """TransactWriteItems."""
        entries = [{name: {"TableName": self.name, **body}} for name, body in actions]
        answer = self.client.transact_write_items(
            TransactItems=cast("Any", entries), **cast("Any", request)
        )
        for action, body in actions:
            if action != "ConditionCheck":
                self._remember(body)
        return cast("Item", answer)

    def empty(self) -> None:
        """Delete whatever was written."""
        for key in self._written.values():
            self.call("delete_item", Key=key)
        self._written.clear()


def sorted_sets(value: Any) -> Any:
    """The same with its sets in one order; DynamoDB promises none."""
    if isinstance(value, list):
        return [sorted_sets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: sorted(one) if name in ("SS", "NS") and isinstance(one, list) else sorted_sets(one)
        for name, one in value.items()
    }


@contextlib.contextmanager
def refused(code: str = "ValidationException") -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """The body is answered with this error."""
    with pytest.raises(ClientError) as caught:
        yield caught
    assert caught.value.response["Error"]["Code"] == code


def emulator_differs(reason: str) -> Callable[[Test], Test]:
    """The emulator is known to answer this otherwise than AWS documents."""

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(table: Subject) -> None:
            with _differing(reason if table.emulated else None):
                test(table)

        return run

    return decorate


def rows(
    names: str, *cells: tuple[Any, ...], differs: Mapping[str, str] | None = None
) -> Callable[[Test], Test]:
    """One case a row; the first cell names it, also where the emulator differs, with the reason."""
    first, *_ = names.split()

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(table: Subject, **row: Any) -> None:
            with _differing((differs or {}).get(row[first]) if table.emulated else None):
                test(table, **row)

        marked: Test = pytest.mark.parametrize(
            names.split(), [pytest.param(*row, id=str(row[0])) for row in cells]
        )(run)
        return marked

    return decorate


@contextlib.contextmanager
def _differing(reason: str | None) -> Iterator[None]:
    """A strict xfail of what is inside, without the second that 30 tracebacks would cost."""
    if reason is None:
        yield
        return
    try:
        yield
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - to differ is to fail in any way
        raise pytest.xfail.Exception(reason, pytrace=False) from None
    pytest.fail(f"it is not so any more: {reason}")


@contextlib.contextmanager
def emulator_client() -> Iterator["DynamoDBClient"]:
    """A client of an emulator of one's own."""
    with emulator() as endpoint_url:
        client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with contextlib.closing(client):
            yield client


def emulated(client: "DynamoDBClient") -> Subject:
    """A table of the emulator, with the keys of template.yaml."""
    name = "table"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    return Subject(client, name, emulated=True)


def faked() -> Subject:
    """A fresh fake."""
    return Subject(cast("DynamoDBClient", FakeDynamoDB("table")), "table")
