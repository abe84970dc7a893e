"""`make serve`: what it prints works when pasted, and nothing is left when it ends."""

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from local.emulated_stack import read
from local.emulator import _free_port
from local.environment import send_events
from local.serve import READY
from local.simulator.client import Simulator
from local.simulator.process import running
from tests.deployed.application import BOTH, PATIENCE_SECONDS
from tests.deployed.checkout import checkout, left_in, started
from tests.deployed.served import Served, operating, pasted, serving, shows, titled, until_said

SECONDS = 600
KEY = "ak_elsewhere"
READY_STATUS = re.compile(r"status +ready")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout(tmp_path / "a project")


@pytest.fixture(scope="module")
def running_there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = checkout(tmp_path_factory.mktemp("served") / "a project")
    with serving(folder) as said:
        stack = read(folder / ".local" / "stack.json")
        with contextlib.closing(Simulator(stack.composio_url)) as simulator:
            yield Served(folder, said, stack, simulator)


@pytest.fixture
def served(running_there: Served) -> Served:
    """Return a stack that is served and knows no user."""
    stack = running_there.stack
    with contextlib.closing(boto3.client("dynamodb", **stack.connection)) as table:
        for item in table.scan(TableName=stack.table_name)["Items"]:
            key = {"pk": item["pk"], "sk": item["sk"]}
            table.delete_item(TableName=stack.table_name, Key=key)
    running_there.simulator.reset()
    send_events(running_there.simulator, stack)
    return running_there


@pytest.mark.timeout(SECONDS)
def test_what_is_printed_works_as_pasted(served: Served) -> None:
    folder, said = served.folder, served.said
    link, sign, ledger, at_once = (
        titled(said, start) for start in ("connect by", "send", "list the", "connect both")
    )
    (session,) = titled(said, "connect as")
    page = httpx.get(json.loads(pasted(folder, session))["connect_url"])
    assert "Ada" in page.text
    for command in link:
        consent = json.loads(pasted(folder, command))["redirect_url"]
        assert httpx.get(consent).is_success
        yes = {"decision": "allow"}
        assert httpx.post(consent, data=yes, follow_redirects=True, timeout=60).is_success
    user, watch = operating(said)
    assert "srv_demo" in shows(folder, user, READY_STATUS)
    shows(folder, watch, re.compile("queue 0"))  # a sweep may be queued at this moment
    assert json.loads(pasted(folder, sign[0])) == {
        "targets": [{"kind": "instance", "server_id": "srv_demo", "status": "ready", "missing": []}]
    }
    assert len(json.loads(pasted(folder, at_once[0]))["webhook_ids"]) == 2
    (posts,) = json.loads(pasted(folder, ledger[0]))["instance_posts"]
    assert posts["created"] == 1
    ask, refresh = (titled(said, start) for start in ("ask", "read the user's"))
    for command in ask + refresh:
        assert json.loads(pasted(folder, command))["targets"][0]["status"] == "ready"
    note = folder / ".local" / "stack.json"
    assert note.stat().st_mode & 0o077 == 0


@pytest.mark.timeout(SECONDS)
def test_another_server_is_used_instead_of_the_simulator(folder: Path) -> None:
    with running("--seed", "demo", "--api-key", KEY) as simulator:
        variables = {
            "COMPOSIO_BASE_URL": f"{simulator.url}/",
            "COMPOSIO_API_KEY": KEY,
            "MCP_SERVER_IDS": "srv_demo",
            "RETURN_URL": "http://localhost:3000/done",
            "PORT": str(_free_port()),
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        with serving(folder, *given, ended_by=signal.SIGINT) as said:
            stack = read(folder / ".local" / "stack.json")
            assert stack.api_url.startswith(f"http://127.0.0.1:{variables['PORT']}/")
            back = httpx.get(f"{stack.callback_url}?status=failed&connected_account_id=ca_0")
            assert back.headers["location"].startswith(variables["RETURN_URL"])
            send_events(simulator, stack)
            for auth_config_id in BOTH:
                simulator.add_account("user_1", auth_config_id, webhook=True)
            user, _ = operating(said)
            assert "srv_demo" in shows(folder, user, READY_STATUS)
            assert "_control" not in said
            assert KEY not in said
            logs = (folder / ".local").rglob("*.log")
            assert not [log for log in logs if KEY in log.read_text(errors="replace")]


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("begun", ["build ...", "deploy ..."])
def test_ending_it_amid_the_start_leaves_nothing(folder: Path, begun: str) -> None:
    with started(folder, "make", "serve") as serve:
        assert serve.stdout
        said = "".join(until_said(serve.stdout, begun))
        time.sleep(0.5)  # any moment will do
        serve.terminate()
        rest, _ = serve.communicate(timeout=PATIENCE_SECONDS)
    assert begun in said
    assert READY not in rest
    assert "Traceback" not in rest
    assert left_in(folder) == []
