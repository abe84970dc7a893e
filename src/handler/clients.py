"""Clients of AWS's services, with time-outs that fit into the functions' time.

They are what `boto3.client` returns. They come from botocore, of which boto3 is a layer: the
layer is not used, and importing it costs each cold start a twelfth.
"""

from functools import cache
from typing import Any

import botocore.session
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
    """Return the client of a service, by botocore's name for it; always the same one."""
    return _session().create_client(service, config=_CONFIG)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
