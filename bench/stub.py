"""AWS on loopback, as far as the measured functions call it; it counts their calls.

DynamoDB is the tests' strict stand-in, which the tests of the table hold to the
documented behaviour; capacity units are computed by its documented rules, a failed condition
included (Amazon DynamoDB Developer Guide, "DynamoDB read and write operations").
"""

import contextlib
import json
import re
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.sizes import write_units

TABLE = "table"
READS = frozenset({"get_item", "query", "scan"})


@dataclass(frozen=True)
class Call:
    """One round trip to AWS: `units` of reading or of writing, as the operation goes."""

    service: str
    operation: str
    request: Any
    units: float = 0.0

    @property
    def reads(self) -> float:
        """Read capacity units."""
        return self.units if self.operation in READS else 0.0

    @property
    def writes(self) -> float:
        """Write capacity units."""
        return self.units - self.reads


@dataclass
class Aws:
    """What the functions see of AWS; `calls` is what came in since it was last emptied."""

    secret: str
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    dynamodb: FakeDynamoDB = field(default_factory=lambda: FakeDynamoDB(TABLE))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Empty the table, and forget the calls."""
        with self.lock:
            self.calls, self.dynamodb = [], FakeDynamoDB(TABLE)

    def take(self) -> list[Call]:
        """Return the calls so far, and forget them."""
        with self.lock:
            calls, self.calls = self.calls, []
        return calls

    def answer(self, target: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body; `target` is the X-Amz-Target header."""
        service, _, name = target.partition(".")
        operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        with self.lock:
            if service.startswith("DynamoDB"):
                return self._dynamodb(operation, request)
            self.calls.append(Call(service, operation, request))
        if operation == "get_secret_value":
            return 200, {"Name": request["SecretId"], "SecretString": self.secret}
        return 200, {"Successful": [], "Attributes": {}}

    def _dynamodb(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = {**request, "ReturnConsumedCapacity": "TOTAL"}
        if "ConditionExpression" in request:
            asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            answer = getattr(self.dynamodb, operation)(**asked)
        except ClientError as error:
            return self._refused(operation, request, dict(error.response))
        del answer["ResponseMetadata"]
        capacity = answer["ConsumedCapacity"]
        tables = capacity if isinstance(capacity, list) else [capacity]
        units = sum(one["CapacityUnits"] for one in tables)
        self.calls.append(Call("DynamoDB", operation, request, units))
        if "ReturnConsumedCapacity" not in request:
            del answer["ConsumedCapacity"]
        return 200, answer

    def _refused(
        self, operation: str, request: dict[str, Any], said: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        units = write_units(said.get("Item"), None)
        self.calls.append(Call("DynamoDB", operation, request, units))
        kept = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        item = {"Item": said["Item"]} if kept and "Item" in said else {}
        kind = f"com.amazonaws.dynamodb.v20120810#{said['Error']['Code']}"
        return 400, {"__type": kind, "message": said["Error"]["Message"], **item}


@contextlib.contextmanager
def serving(secret: str) -> Iterator[Aws]:
    """Serve on a free port of loopback; `secret` is the one secret's text."""
    aws = Aws(secret)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, answer = aws.answer(self.headers["x-amz-target"], json.loads(body))
            text = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(text)))
            self.send_header("x-amzn-requestid", "0" * 52)
            self.send_header("x-amz-crc32", str(zlib.crc32(text)))
            self.end_headers()
            self.wfile.write(text)

        # In one piece with the body: two would wait for each other.
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        aws.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield aws
        server.shutdown()
