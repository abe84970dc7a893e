"""A hundred thousand users: who is not ready is shown within ten seconds, and in 300 MB.

The table is served page by page, as DynamoDB does it: the emulator takes a second for each page.
"""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from handler.account_table import account_to_row, accounts_key
from handler.catalog_table import catalog_key, server_to_row
from handler.dynamodb import to_item
from handler.target_table import target_key
from handler.targets import Status, Target
from provisioner.scan import SEGMENTS
from tests.deployed.application import BOTH, GMAIL, SERVER, SLACK
from tests.deployed.checkout import ROOT
from tests.world import TARGET, account

USERS = 100_000
ROWS_OF_A_PAGE = 1_500
"""About 1 MB."""
STATUSES = {"waiting": 5_000, "failed": 3_000, "retrying": 2_000}
"""The others are ready."""
MOST_SECONDS, MOST_MEGABYTES = 10, 300


@cache
def rows(status: str) -> tuple[str, ...]:
    """Return the rows of a user in this status, as DynamoDB's JSON; NOBODY stands for the id."""
    connected = (GMAIL, SLACK)[: 1 if status == "waiting" else 2]
    facts = {f"account#{one}": account_to_row(account(one, user="NOBODY")) for one in connected}
    accounts = json.dumps(to_item(accounts_key("NOBODY") | facts))
    if status == "waiting":
        return (accounts,)
    row = {**target_key("NOBODY", TARGET), "status": status, "attempts": 1, "settled_at": 1}
    record = {"id": "NOBODY", "instance_id": "NOBODY", "mcp_server_id": SERVER}
    return accounts, json.dumps(to_item({**row, "claim_token": "t" * 32, "record": record}))


class Table(http.server.BaseHTTPRequestHandler):
    """DynamoDB with a table that can be scanned, and a catalog that can be read."""

    pages: tuple[tuple[bytes, ...], ...] = ()
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer Query and Scan."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["x-amz-target"].endswith(".Query"):
            known = catalog_key(TARGET) | server_to_row(Target(SERVER, frozenset(BOTH)))
            return self._answer(json.dumps({"Items": [to_item(known)], "Count": 1}).encode())
        page = int(asked.get("ExclusiveStartKey", {"pk": {"S": "0"}})["pk"]["S"])
        return self._answer(self.pages[asked["Segment"]][page])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def segment(number: int) -> tuple[bytes, ...]:
    """Return the pages of a segment of the table."""
    statuses = [name for name, many in STATUSES.items() for _ in range(many)]
    statuses += ["ready"] * (USERS - len(statuses))
    found = [
        row.replace("NOBODY", f"user_{user}")
        for user in range(number, USERS, SEGMENTS)
        for row in rows(statuses[user])
    ]
    starts = range(0, len(found), ROWS_OF_A_PAGE)
    pages = []
    for place, start in enumerate(starts, 1):
        more = "" if place == len(starts) else f', "LastEvaluatedKey": {{"pk": {{"S": "{place}"}}}}'
        items = ", ".join(found[start : start + ROWS_OF_A_PAGE])
        pages.append(f'{{"Items": [{items}]{more}}}'.encode())
    return tuple(pages)


@pytest.fixture(scope="module")
def table() -> Iterator[str]:
    Table.pages = tuple(map(segment, range(SEGMENTS)))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Table) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    Table.pages = ()


MEASURED = """
import boto3, json, sys, time
from handler.targets import Status
from provisioner.locate import NEEDED
from provisioner.scan import entries
from provisioner.stack import Clients, Stack
session = boto3.Session("test", "test", region_name="us-east-1")
parameters = {"McpServerIds": "*", "ComposioBaseUrl": "https://composio.invalid"}
stack = Stack("many", {name: name for name in NEEDED}, parameters, Clients(session, sys.argv[1]))
began = time.process_time()
found = entries(stack, [Status(one) for one in sys.argv[2:]])
seconds = time.process_time() - began
counts = {one: sum(entry.status == one for entry in found) for one in Status}
# Not ru_maxrss, which a child begins with that of the process it was forked from.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
kilobytes = int(status["VmHWM"].split()[0])
print(json.dumps({"counts": counts, "seconds": seconds, "megabytes": kilobytes / 1024}))
"""


@pytest.mark.parametrize(
    "statuses",
    [[one for one in Status if one is not Status.READY], list(Status)],
    ids=["list", "watch"],
)
def test_a_hundred_thousand_users_are_read_in_time_and_in_little_memory(
    statuses: list[Status], table: str, figures: list[str], tmp_path: Path
) -> None:
    ran = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", MEASURED, table, *statuses],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    told = json.loads(ran.stdout)
    expected = dict.fromkeys(Status, 0) | STATUSES
    expected |= {"ready": USERS - sum(STATUSES.values())} if Status.READY in statuses else {}
    assert told["counts"] == expected
    figures.append(
        f"provisioner, {USERS:,} users: {told['seconds']:.1f} s of CPU, {told['megabytes']:.0f} MB"
    )
    # Of CPU: who shares this machine takes none of it.
    assert told["seconds"] < MOST_SECONDS
    assert told["megabytes"] < MOST_MEGABYTES
