"""Everything about the simulator that can be changed while it runs."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type Seconds = Annotated[float, Field(ge=0, le=3600)]


class Options(BaseModel):
    """The settings of `PATCH /_control/options`; durations are in seconds.

    Composio does not publish how it repeats a webhook, so that is a setting rather than a fact.
    `activated_event` is what `composio.connected_account.activated` has in its `data`: the whole
    account, as that is not published either; "off" is a project that is not offered the event.
    A `verifier_url` turns callback identity verification on: a consent then waits for
    `POST …/complete_auth`.
    The endpoints of MCP servers, but not of sessions, say that they will go when `mcp_sunset` is
    "announced", and answer 410 when it is "over".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency: Seconds = 0
    activated_event: Literal["account", "off"] = "off"
    verifier_url: str | None = None
    mcp_sunset: Literal["no", "announced", "over"] = "no"
    webhook_retries: Annotated[int, Field(ge=0, le=100)] = 5
    webhook_backoff: Seconds = 1
