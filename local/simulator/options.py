"""Everything about the simulator that can be changed while it runs."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

type Seconds = Annotated[float, Field(ge=0, le=3600)]


class Options(BaseModel):
    """The settings of `PATCH /_control/options`; durations are in seconds.

    Composio does not publish how it repeats a webhook, so that is a setting rather than a fact.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency: Seconds = 0
    webhooks: bool = True
    synthetic_events: bool = False
    webhook_retries: Annotated[int, Field(ge=0, le=100)] = 5
    webhook_backoff: Seconds = 1
