"""The one webhook subscription of the project."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from local.simulator.clock import Clock, random_id
from local.simulator.refusal import Refused, invalid, missing

_LONGEST_URL = 2048

type EventTypes = Mapping[str, tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where events go, which ones, and the secret that signs them."""

    id: str
    webhook_url: str
    version: str
    enabled_events: tuple[str, ...]
    secret: str
    created_at: datetime
    updated_at: datetime


class Subscriptions:
    """None or one: "one subscription per project" (changelog of 2026-02-06).

    Methods raise `Refused` with the status that Composio answers.
    """

    def __init__(self, clock: Clock, event_types: Callable[[], EventTypes]) -> None:
        self._clock = clock
        self._event_types = event_types
        self.current: Subscription | None = None

    def get(self, subscription_id: str) -> Subscription:
        """Find the subscription."""
        if self.current is None or self.current.id != subscription_id:
            raise missing("Webhook subscription", subscription_id)
        return self.current

    def create(
        self, webhook_url: str, enabled_events: tuple[str, ...], version: str
    ) -> Subscription:
        """Make the subscription, if there is none."""
        if self.current is not None:
            raise Refused(
                409,
                "The project already has a webhook subscription",
                slug="WebhookSubscription_ResourceLimitExceeded",
                fix="Update or delete the existing subscription",
            )
        self._check(webhook_url, enabled_events, version)
        at = self._clock.tick()
        self.current = Subscription(
            id=random_id("ws_"),
            webhook_url=webhook_url,
            version=version,
            enabled_events=enabled_events,
            secret=random_id("whsec_"),
            created_at=at,
            updated_at=at,
        )
        return self.current

    def change(self, subscription_id: str, changes: dict[str, Any]) -> Subscription:
        """Change what is given."""
        new = replace(self.get(subscription_id), **changes, updated_at=self._clock.tick())
        self._check(new.webhook_url, new.enabled_events, new.version)
        self.current = new
        return new

    def rotate(self, subscription_id: str) -> Subscription:
        """Draw a new secret; the old one stops signing at once."""
        old = self.get(subscription_id)
        self.current = replace(old, secret=random_id("whsec_"), updated_at=self._clock.tick())
        return self.current

    def delete(self, subscription_id: str) -> None:
        """Forget the subscription."""
        self.get(subscription_id)
        self.current = None

    def _check(self, url: str, enabled: tuple[str, ...], version: str) -> None:
        if not deliverable(url):
            raise invalid("Invalid webhook_url", "webhook_url must be https, or http on loopback")
        known = self._event_types()
        for each in enabled:
            if each not in known:
                raise invalid("Unknown event type", each)
            if version not in known[each][1]:
                raise invalid(f"{each} cannot be enabled on version {version}")


def loopback(host: str | None) -> bool:
    """Tell whether a host name or address never leaves this machine."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def deliverable(url: str) -> bool:
    """Tell whether a webhook may go there: https, or http on loopback."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if len(url) > _LONGEST_URL or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback(parts.hostname))
