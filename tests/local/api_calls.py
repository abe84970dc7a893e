"""Calls of the simulated API that several tests make."""

from typing import Any

import httpx

from local.simulator.client import Simulator

INSTANCES = "/api/v3/mcp/servers/srv_demo/instances"


def connect(simulator: Simulator, user_id: str) -> None:
    simulator.add_accounts(
        [{"user_id": user_id, "auth_config_id": each} for each in ("ac_gmail", "ac_slack")]
    )


def create(api: httpx.Client, user_id: str = "ada") -> httpx.Response:
    return api.post(INSTANCES, json={"user_id": user_id})


def request_link(api: httpx.Client, user_id: str = "ada", **more: object) -> httpx.Response:
    asked = {"auth_config_id": "ac_gmail", "user_id": user_id, **more}
    return api.post("/api/v3.1/connected_accounts/link", json=asked)


def error(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return found
