"""A strict stand-in for boto3's DynamoDB client: one table, its index, and nothing lenient.

It answers as the AWS documentation says; `test_dynamodb_contract.py` holds it to that, against
the emulator. One thread at a time: a request is atomic because nothing else runs.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

from tests.fakes.errors import Exceptions, InvalidRequestError, metadata, service_error
from tests.fakes.reads import get, query, scan
from tests.fakes.requests import Request, check_enums, check_shape
from tests.fakes.table import Image, Table
from tests.fakes.transactions import Attempt, transact
from tests.fakes.writes import write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import type_defs as t


class Snapshot(NamedTuple):
    """A moment of a fake; cheap to take and to go back to, as often as wanted."""

    rows: Any
    index: Any
    calls: tuple[tuple[str, Request], ...]
    stream: tuple[tuple[Image, Image], ...]
    attempts: dict[str, Attempt]


class FakeDynamoDB:
    """The low-level client's methods over one in-memory table with the keys of template.yaml.

    Attributes:
        calls: every request that would have gone out: the API's name for it and its parameters.
        stream: old and new image of every effective change, in order; read them, never write.
        exceptions: what `except client.exceptions.…` names.
    """

    exceptions = Exceptions

    def __init__(self, table_name: str, *, clock: Callable[[], float] | None = None) -> None:
        self.table_name = table_name
        self.calls: list[tuple[str, Request]] = []
        self._table = Table(table_name)
        # A transaction's token is good for ten minutes, by this clock.
        self._clock = clock or time.monotonic
        self._attempts: dict[str, Attempt] = {}

    @property
    def stream(self) -> list[tuple[Image, Image]]:
        """What the table's stream would have carried."""
        return self._table.stream

    def update_item(
        self, **request: "Unpack[t.UpdateItemInputTypeDef]"
    ) -> "t.UpdateItemOutputTypeDef":
        """UpdateItem."""
        return cast("t.UpdateItemOutputTypeDef", self._write("UpdateItem", request))

    def put_item(self, **request: "Unpack[t.PutItemInputTypeDef]") -> "t.PutItemOutputTypeDef":
        """PutItem."""
        return cast("t.PutItemOutputTypeDef", self._write("PutItem", request))

    def delete_item(
        self, **request: "Unpack[t.DeleteItemInputTypeDef]"
    ) -> "t.DeleteItemOutputTypeDef":
        """DeleteItem."""
        return cast("t.DeleteItemOutputTypeDef", self._write("DeleteItem", request))

    def get_item(self, **request: "Unpack[t.GetItemInputTypeDef]") -> "t.GetItemOutputTypeDef":
        """GetItem."""
        return cast("t.GetItemOutputTypeDef", self._run("GetItem", request, get))

    def query(self, **request: "Unpack[t.QueryInputTypeDef]") -> "t.QueryOutputTypeDef":
        """Query, on the table or on its index."""
        return cast("t.QueryOutputTypeDef", self._run("Query", request, query))

    def scan(self, **request: "Unpack[t.ScanInputTypeDef]") -> "t.ScanOutputTypeDef":
        """Scan, in the order of the keys, which the real one does not promise."""
        return cast("t.ScanOutputTypeDef", self._run("Scan", request, scan))

    def transact_write_items(
        self, **request: "Unpack[t.TransactWriteItemsInputTypeDef]"
    ) -> "t.TransactWriteItemsOutputTypeDef":
        """TransactWriteItems."""
        return cast(
            "t.TransactWriteItemsOutputTypeDef",
            self._run(
                "TransactWriteItems",
                request,
                lambda table, given: transact(table, given, self._attempts, self._clock()),
            ),
        )

    def _write(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._run(operation, request, lambda table, given: write(table, operation, given))

    def _run(
        self,
        operation: str,
        request: Mapping[str, Any],
        handle: Callable[[Table, Request], dict[str, Any]],
    ) -> dict[str, Any]:
        check_shape(operation, request)
        self.calls.append((operation, request))
        try:
            check_enums(operation, request)
            if request.get("TableName", self.table_name) != self.table_name:
                raise service_error(
                    operation, "ResourceNotFoundException", "Requested resource not found"
                )
            answer = handle(self._table, request)
        except InvalidRequestError as problem:
            raise service_error(operation, "ValidationException", str(problem)) from None
        answer["ResponseMetadata"] = metadata(200)
        return answer

    def snapshot(self) -> Snapshot:
        """This moment; from here on, what is written is copied first."""
        table = self._table
        return Snapshot(
            table.rows.freeze(),
            table.index.freeze(),
            tuple(self.calls),
            tuple(table.stream),
            self._attempts.copy(),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Back to a moment, `calls` and `stream` included."""
        self._table.rows.thaw(snapshot.rows)
        self._table.index.thaw(snapshot.index)
        self.calls[:] = snapshot.calls
        self._table.stream[:] = snapshot.stream
        self._attempts = snapshot.attempts.copy()
