"""`provisioner init` asks for what is missing, checks it, and changes nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import WaiterError
from typer.testing import Result

from provisioner import context, init_command, samconfig
from provisioner.output import Screen
from provisioner.stack import Stack
from tests.doubles import refusal
from tests.provisioner import command_line
from tests.provisioner.found_stack import stack_of
from tests.world import (
    API_KEY,
    GMAIL,
    PROFILE,
    SERVER,
    SLACK,
    SecretStore,
    World,
    account,
    as_composio_has_it,
)

OTHER_KEY = "ak_another"
ARN = "arn:aws:execute-api:r:1:api/live"

GUIDED = (
    '[default.deploy.parameters]\nparameter_overrides = "McpServerIds=\\"\\" Release=\\"1\\""\n'
)


class Store(SecretStore):
    """Secrets Manager, where the secret may be replaced."""

    def put_secret_value(self, *, SecretString: str, **_: str) -> None:  # noqa: N803
        self.secret = json.loads(SecretString)


class CloudFormation:
    """Updates a stack, or fails to."""

    def __init__(self) -> None:
        url = "https://c.invalid"
        self.parameters = {"McpServerIds": "", "Release": "1", "ComposioBaseUrl": url}
        self.updates: list[dict[str, str]] = []
        self.fails = False

    def update_stack(self, *, Parameters: list[dict[str, Any]], **how: Any) -> None:  # noqa: N803
        assert how["UsePreviousTemplate"]
        assert {one["ParameterKey"] for one in Parameters} == set(self.parameters)
        given = {
            one["ParameterKey"]: one["ParameterValue"]
            for one in Parameters
            if not one.get("UsePreviousValue")
        }
        self.updates.append(given)
        self.parameters |= given

    def get_waiter(self, name: str) -> "CloudFormation":
        assert name == "stack_update_complete"
        return self

    def wait(self, **_: Any) -> None:
        if self.fails:
            raise WaiterError("StackUpdateComplete", "rolled back", {})


class Init:
    """A stack as `sam deploy` leaves it, and a user who has connected everything."""

    def __init__(self, samconfig: Path) -> None:
        self.world = World()
        self.world.secrets = self.store = Store()
        self.store.secret = {"composio_api_key": "", "webhook_secrets": []}
        self.formation = CloudFormation()
        self.samconfig = samconfig
        self.refused: dict[str, httpx.Response] = {}
        for one in (account(GMAIL), account(SLACK), account(GMAIL, id="ca_2", user="user_2")):
            self.world.upstream.accounts[one.id] = as_composio_has_it(one)

    def find(self, _: object) -> Stack:
        stack = stack_of(self.world, cloudformation=self.formation)
        del vars(stack)["services"]
        return replace(
            stack,
            parameters=dict(self.formation.parameters),
            outputs={**stack.outputs, "ApiArn": ARN},
            samconfig=self.samconfig,
        )

    def composio(self, request: httpx.Request) -> httpx.Response:
        if request.headers["x-api-key"] != API_KEY:
            return refusal(401, "who are you?")
        for path, answer in self.refused.items():
            if request.url.path.endswith(path):
                return answer
        if request.url.path.endswith("/webhook_subscriptions"):
            return httpx.Response(200, json={"items": []})
        return self.world.upstream(request)

    def run(self, *arguments: str, typed: str = "", code: int = 0) -> Result:
        ended = command_line.run("init", *arguments, input=typed, code=code)
        assert OTHER_KEY not in ended.output
        assert API_KEY not in ended.output
        return ended


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    (tmp_path / "samconfig.toml").write_text(GUIDED)
    init = Init(tmp_path / "samconfig.toml")
    monkeypatch.setattr(context, "find", init.find)
    for name, value in {"where": "here", "emulated": True, "aws_command": "aws"}.items():
        monkeypatch.setattr(Stack, name, value)
    monkeypatch.setattr(
        "provisioner.stack.connect",
        lambda url: httpx.Client(base_url=url, transport=httpx.MockTransport(init.composio)),
    )
    monkeypatch.setattr(init_command, "connect_webhook", lambda _, **__: None)
    monkeypatch.setattr(init_command, "report", lambda _: True)
    return init


def test_it_asks_only_for_what_is_missing_and_prints_what_the_application_needs(
    init: Init,
) -> None:
    shown = init.run(typed=f"{API_KEY}\nsrv_demo\n").stdout

    assert init.store.secret == {"composio_api_key": API_KEY, "webhook_secrets": []}
    assert init.formation.updates == [{"McpServerIds": SERVER, "Release": "2"}]
    assert samconfig.overrides(init.samconfig.read_text()) == init.formation.updates[0]
    assert re.search(r"srv_demo +demo +ac_gmail, ac_slack +no +1 user\b", shown)
    assert "callback URL: https://api.invalid/oauth/callback" in shown
    again = init.run("--json")
    assert len(init.formation.updates) == 1
    found, needed = map(json.loads, again.stdout.splitlines())
    assert found["servers"] == [
        {"id": SERVER, "required": [GMAIL, SLACK], "enrolled": True, "users": 1}
    ]
    page = Path("docs/integrate.md").read_text().split("```json\n")[1].split("```")[0]
    assert needed["IAM policy"] == json.loads(page.replace("API_ARN", ARN))


def test_with_a_session_profile_it_does_not_ask_for_mcp_servers(init: Init) -> None:
    init.world.catalog_table.store_profile(PROFILE, backfill_at=0)

    init.run(typed=f"{API_KEY}\n")

    assert init.formation.updates == []


def test_with_options_it_asks_nothing(init: Init, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"\ufeff{API_KEY}\r\n")

    init.run("--yes", "--api-key-file", str(tmp_path / "key"))
    assert init.store.secret["composio_api_key"] == API_KEY
    assert init.formation.updates == []
    for server_ids in ("*", ""):
        init.run("--servers", server_ids)
        assert init.formation.parameters["McpServerIds"] == server_ids
    assert init.formation.parameters["Release"] == "3"


@pytest.mark.parametrize("key", [OTHER_KEY, "", "ak_…", "\udcff"])
def test_a_rejected_key_is_not_stored(init: Init, key: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(key.encode("utf-8", "surrogateescape"))

    init.run("--api-key-file", str(tmp_path / "key"), code=1)

    assert init.store.secret["composio_api_key"] == ""


def test_at_a_terminal_it_asks_for_another_key(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([OTHER_KEY, API_KEY])
    monkeypatch.setattr(Screen, "answers", True)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    init.store.secret["composio_api_key"] = "ak_expired"

    ended = init.run(typed="\n")

    assert ended.stderr.count("Composio rejects the API key") == 2
    assert init.store.secret["composio_api_key"] == API_KEY


def test_each_missing_permission_is_named(init: Init) -> None:
    denied = refusal(403, "forbidden")
    init.refused = {"/webhook_subscriptions": denied, "/connected_accounts": denied}

    message = init.run(typed=API_KEY, code=1).stderr

    assert "connected_accounts: read" in message
    assert "webhooks: write" in message
    assert init.store.secret["composio_api_key"] == ""


def test_it_keeps_the_key_if_composio_is_down(init: Init) -> None:
    init.store.secret["composio_api_key"] = API_KEY
    init.refused = {"/servers": httpx.Response(503)}

    assert "Composio cannot be asked: HTTP 503" in init.run(typed=OTHER_KEY, code=1).stderr
    assert init.store.secret["composio_api_key"] == API_KEY


@pytest.mark.parametrize("typed", ["", API_KEY, f"{API_KEY}\n!\n"])
def test_an_unanswered_question_names_the_option_for_it(init: Init, typed: str) -> None:
    message = init.run(typed=typed, code=1).stderr

    assert ("--servers answers" if typed else "--api-key-file answers") in message
    assert init.formation.updates == []


def test_a_server_that_does_not_exist_is_not_enrolled(init: Init) -> None:
    message = init.run("--servers", "srv_demo,srv_x", typed=API_KEY, code=1).stderr

    assert "no MCP server srv_x" in message
    assert init.formation.updates == []
    assert init.run("--servers", "a b", code=2).stdout == ""


def test_a_failed_update_says_where_to_look(init: Init) -> None:
    init.formation.fails = True

    message = init.run("--servers", SERVER, typed=API_KEY, code=1).stderr

    assert "aws cloudformation describe-stack-events --stack-name here" in message
    assert init.samconfig.read_text() == GUIDED
