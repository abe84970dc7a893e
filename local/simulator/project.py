"""One Composio project with everything around it: what the routes work on."""

import hmac
from dataclasses import dataclass, field

from local.simulator import events, wire
from local.simulator.accounts import Account, AuthConfig
from local.simulator.connections import Connections
from local.simulator.deliveries import Deliveries, Route
from local.simulator.faults import Faults
from local.simulator.ledger import Ledger
from local.simulator.moment import Clock, Ids, Ticker, random_id, wall_clock
from local.simulator.ratelimit import RateWindow
from local.simulator.servers import Server, Servers
from local.simulator.subscriptions import Subscriptions
from local.simulator.switches import Switches

DEFAULT_API_KEY = "ak_simulator"
DEMO_AUTH_CONFIGS = {"ac_gmail": "gmail", "ac_slack": "slack"}
DEMO_SERVER = "srv_demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a project looks like at first and after a reset."""

    base_url: str = "http://127.0.0.1"
    api_keys: frozenset[str] = frozenset({DEFAULT_API_KEY})
    webhook_target: str | None = None
    webhook_secrets: tuple[str, ...] = ()
    demo: bool = False
    switches: Switches = field(default_factory=Switches)


class Project:
    """The state of the simulator. Single-threaded: no method awaits, so each is atomic."""

    def __init__(
        self, beginning: Beginning, *, clock: Clock = wall_clock, ids: Ids = random_id
    ) -> None:
        self.beginning = beginning
        self.ids = ids
        self.ledger = Ledger()
        self.faults = Faults()
        self.deliveries = Deliveries(lambda: self.switches, self.route)
        self._clock = clock
        self._begin()

    def reset(self) -> None:
        """Go back to the beginning: state, switches, keys, faults, ledger, deliveries, clock."""
        self.ledger.clear()
        self.faults.remove()
        self.deliveries.reset()
        self._begin()

    def accepts(self, key: str) -> bool:
        """Tell whether an API key is valid now."""
        given = key.encode()
        return any(hmac.compare_digest(given, valid.encode()) for valid in self.api_keys)

    def route(self, event_type: str) -> Route | None:
        """Find where an event goes now: the control target, else the subscription."""
        subscription = self.subscriptions.current
        if self.webhook_target is not None:
            secrets = (subscription.secret,) if subscription else ()
            return Route(self.webhook_target, self.webhook_secrets or secrets)
        if subscription is None or event_type not in subscription.enabled_events:
            return None
        return Route(subscription.webhook_url, self.webhook_secrets or (subscription.secret,))

    def announce(self, account: Account, event_type: str | None = None) -> str | None:
        """Send the event of an account's state and return its webhook id.

        None when nothing is sent: webhooks are off, the event is synthetic and those are off,
        or nobody listens.
        """
        wanted = event_type or events.type_of(account.status)
        known = events.known(synthetic=self.switches.synthetic_events)
        if not self.switches.webhooks or wanted not in known or self.route(wanted) is None:
            return None
        event = events.envelope(
            self.ids("msg_"),
            wanted,
            self.ticker.now(),
            self.shape(account),
        )
        self.deliveries.post(event)
        return event.id

    def lapse(self) -> None:
        """Expire what waited too long and announce it."""
        for account in self.connections.lapse():
            self.announce(account)

    def shape(self, account: Account, *, full: bool = True) -> dict[str, object]:
        """Shape an account for an answer or an event."""
        config = self.connections.auth_configs[account.auth_config_id]
        omit = self.switches.omit_user_id
        return wire.account(account, config, omit_user_id=omit, full=full)

    def shape_for_control(self, account: Account) -> dict[str, object]:
        """Shape an account with its user, whatever the switches say."""
        return {**self.shape(account), "user_id": account.user_id}

    def shape_server(self, server: Server) -> dict[str, object]:
        """Shape an MCP server for an answer."""
        configs = self.connections.auth_configs
        return wire.server(
            server,
            toolkits=sorted({configs[each].toolkit for each in server.auth_config_ids}),
            instances=len(self.servers.instances[server.id]),
            base_url=self.beginning.base_url,
        )

    def _begin(self) -> None:
        self.ticker = Ticker(self._clock)
        self.window = RateWindow()
        self.switches = self.beginning.switches
        self.api_keys = self.beginning.api_keys
        self.webhook_target = self.beginning.webhook_target
        self.webhook_secrets = self.beginning.webhook_secrets
        self.connections = Connections(self.ticker, self.ids)
        self.servers = Servers(self.ticker, self.ids, self.connections)
        self.subscriptions = Subscriptions(self.ticker, self.ids)
        if self.beginning.demo:
            for auth_config_id, toolkit in DEMO_AUTH_CONFIGS.items():
                at = self.ticker.tick()
                self.connections.auth_configs[auth_config_id] = AuthConfig(
                    id=auth_config_id, toolkit=toolkit, name=toolkit, created_at=at, updated_at=at
                )
            self.servers.new("demo", tuple(DEMO_AUTH_CONFIGS), server_id=DEMO_SERVER)
