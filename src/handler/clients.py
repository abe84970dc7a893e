"""Clients of AWS's services, with time-outs that fit into the functions' time."""

from functools import cache
from typing import Any

import boto3
import botocore
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    # These two are a quarter of what a call costs. What is sent is held to AWS's model by tests.
    parameter_validation=False,
    user_agent=f"Botocore/{botocore.__version__} mcp-provisioner",
)


@cache
def client(service: str) -> Any:  # noqa: ANN401 -- what is in it depends on the name
    """Return the client of a service, by boto3's name for it; always the same one."""
    clients: Any = boto3
    return clients.client(service, config=_CONFIG)
