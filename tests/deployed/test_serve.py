"""`make serve`: what it prints works as pasted, and it ends without a trace."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from local.serve import READY, elsewhere
from local.simulator.client import Simulator
from local.simulator.process import running
from local.stack import read
from local.standin import Elsewhere, Wrong, listen
from tests.deployed.checkout import checkout, left_in, started
from tests.deployed.served import Served, pasted, serving, shows, titled, until_said

SECONDS = 300
KEY = "ak_elsewhere"
READY_STATUS = '"status": "ready"'


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
    """Serve, with nobody known."""
    stack = running_there.stack
    with contextlib.closing(boto3.client("dynamodb", **stack.connection)) as table:
        for item in table.scan(TableName=stack.table_name)["Items"]:
            key = {"pk": item["pk"], "sk": item["sk"]}
            table.delete_item(TableName=stack.table_name, Key=key)
    running_there.simulator.reset()
    listen(running_there.simulator, stack)
    return running_there


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_what_is_printed_works_as_pasted(served: Served) -> None:
    folder, said = served.folder, served.said
    (link, sign, table, ledger, at_once) = (
        titled(said, start) for start in ("connect an", "send", "read the", "see", "connect both")
    )
    for command in link:
        consent = json.loads(pasted(folder, command))["redirect_url"]
        assert httpx.get(consent).is_success
        yes = {"decision": "allow"}
        assert httpx.post(consent, data=yes, follow_redirects=True, timeout=60).is_success
    assert "srv_demo" in shows(folder, table[0], READY_STATUS)
    assert json.loads(pasted(folder, sign[0])) == {
        "servers": [{"server_id": "srv_demo", "status": "ready", "missing": []}]
    }
    assert len(json.loads(pasted(folder, at_once[0]))["webhook_ids"]) == 2
    (posts,) = json.loads(pasted(folder, ledger[0]))["instance_posts"]
    assert posts["created"] == 1
    ask, refresh = (titled(said, start) for start in ("ask", "read this user's"))
    for command in ask + refresh:
        assert json.loads(pasted(folder, command))["servers"][0]["status"] == "ready"
    note = folder / ".local" / "stack.json"
    assert note.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_what_is_printed_reaches_the_bus_and_the_sweep(served: Served) -> None:
    folder, said = served.folder, served.said
    served.simulator.switch(webhooks=False)
    for auth_config_id in ("ac_gmail", "ac_slack"):
        served.simulator.add_account("user_1", auth_config_id)
    (table,), (sweep,), (put,) = (
        titled(said, start) for start in ("read the", "run a sweep", "put an event")
    )
    pasted(folder, sweep)
    shows(folder, table, READY_STATUS)
    assert "ca_gmail1" not in pasted(folder, table)
    pasted(folder, put)
    shows(folder, table, "ca_gmail1")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_another_server_takes_the_simulators_place(folder: Path) -> None:
    with running("--seed", "demo", "--api-key", KEY) as simulator:
        variables = {
            "COMPOSIO_BASE_URL": f"{simulator.url}/",
            "COMPOSIO_API_KEY": KEY,
            "MCP_SERVER_IDS": "srv_demo",
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        with serving(folder, *given, ended_by=signal.SIGINT) as said:
            listen(simulator, read(folder / ".local" / "stack.json"))
            for auth_config_id in ("ac_gmail", "ac_slack"):
                simulator.add_account("user_1", auth_config_id, webhook=True)
            (table,) = titled(said, "read the table")
            assert "srv_demo" in shows(folder, table, READY_STATUS)
            assert "_control" not in said
            assert KEY not in said
            logs = (folder / ".local").rglob("*.log")
            assert not [log for log in logs if KEY in log.read_text(errors="replace")]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("begun", ["build ...", "deploy ..."])
def test_ending_it_amid_the_start_leaves_nothing(folder: Path, begun: str) -> None:
    with started(folder, "make", "serve") as serve:
        assert serve.stdout
        said = "".join(until_said(serve.stdout, begun))
        time.sleep(1)  # well under way
        serve.terminate()
        rest, _ = serve.communicate(timeout=30)
    assert begun in said
    assert READY not in rest
    assert "Traceback" not in rest
    assert left_in(folder) == []


def test_the_environment_says_which_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSIO_BASE_URL", raising=False)
    monkeypatch.setenv("COMPOSIO_API_KEY", KEY)
    assert elsewhere() is None
    monkeypatch.setenv("COMPOSIO_BASE_URL", "https://composio.test/")
    with pytest.raises(Wrong, match="COMPOSIO_API_KEY"):
        elsewhere()
    monkeypatch.setenv("COMPOSIO_API_KEY", KEY)
    found = elsewhere()
    assert found == Elsewhere(base_url="https://composio.test", api_key=KEY)
    assert KEY not in repr(found)
    monkeypatch.setenv("COMPOSIO_BASE_URL", "http://composio.test")
    with pytest.raises(Wrong, match="https"):
        elsewhere()
