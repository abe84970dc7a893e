"""Everything about the simulator that can be changed while it runs."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

type Seconds = Annotated[float, Field(ge=0, le=3600)]


class Switches(BaseModel):
    """The settings of `PATCH /_control/switches`; durations are in seconds.

    Composio publishes neither its retry schedule nor the size of its pages of accounts, so both
    are settings here rather than facts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    omit_user_id: bool = False
    legacy_conflict: bool = False
    latency: Seconds = 0
    # Long enough that two overlapping calls are seen to overlap.
    instance_latency: Seconds = 0.02
    page_max: Annotated[int, Field(ge=1)] = 50
    rate_limit: Annotated[int, Field(ge=0)] | None = None
    rate_window: Annotated[float, Field(gt=0)] = 60

    webhooks: bool = True
    synthetic_events: bool = False
    webhook_retries: Annotated[int, Field(ge=0, le=100)] = 5
    webhook_backoff: Seconds = 1
    webhook_copies: Annotated[int, Field(ge=1, le=100)] = 1
    webhook_reorder: Annotated[int, Field(ge=1)] = 1
    webhook_hold: Seconds = 0.5
    webhook_skew: int = 0
