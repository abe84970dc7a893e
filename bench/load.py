"""Events per second on the emulator, ours beside an empty function.

What an emulator serves says nothing of AWS; that ours keeps the pace of an empty function, from
one client to many, does.
"""

import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import boto3
from botocore.config import Config

from bench import samples
from local.deployment import build, create
from local.emulated_stack import Parameters, Stack
from local.emulator import emulator, run_folder
from local.simulator.process import running as simulator
from local.simulator.project import DEFAULT_API_KEY

CLIENTS = (1, 4, 16, 64)
EVENTS = 40
"""For each client."""

# The emulator waits for a function's log; one that is silent would be slower for it.
EMPTY = "def lambda_handler(event, _):\n    print('{}')\n"


def measured() -> dict[str, dict[int, float]]:
    """Return the events per second by function and number of clients."""
    with (
        run_folder("load") as folder,
        simulator("--seed", "demo") as composio,
        emulator() as endpoint_url,
    ):
        parameters = Parameters(
            composio_url=composio.url,
            composio_api_key=DEFAULT_API_KEY,
            webhook_secret=samples.WEBHOOK_SECRET,
        )
        stack = create(endpoint_url, build(folder), parameters)
        config = Config(max_pool_connections=max(CLIENTS), read_timeout=120)
        client = boto3.client("lambda", config=config, **stack.connection)
        _make_empty(client, stack)
        rates: dict[str, dict[int, float]] = {"empty": {}, "webhook": {}}
        for clients in CLIENTS:
            for name, function in (("empty", "empty"), ("webhook", stack.webhook_function_name)):
                rates[name][clients] = _rate(client, function, clients)
        return rates


def _make_empty(client: Any, stack: Stack) -> None:  # noqa: ANN401 - boto3's client
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("empty.py", EMPTY)
    ours = client.get_function_configuration(FunctionName=stack.webhook_function_name)
    client.create_function(
        FunctionName="empty",
        Runtime=ours["Runtime"],
        Role=ours["Role"],
        Handler="empty.lambda_handler",
        Timeout=30,
        Code={"ZipFile": package.getvalue()},
    )


_numbers = count()


def _rate(client: Any, function: str, clients: int) -> float:  # noqa: ANN401 - boto3's client
    """Return the accepted events a second: an overloaded emulator has some answered 503."""

    def send(_: int) -> bool:
        event = samples.event("incomplete", f"load{next(_numbers)}", queued=False)
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
        said = json.loads(answer["Payload"].read())
        return "FunctionError" not in answer and (said or {}).get("statusCode", 200) == 200

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, range(2 * clients)))  # starts all environments
        begun = time.monotonic()
        accepted = sum(pool.map(send, range(EVENTS * clients)))
        return accepted / (time.monotonic() - begun)
