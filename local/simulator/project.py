"""One Composio project with everything around it: what the routes work on."""

from local.simulator import events, wire
from local.simulator.accounts import Account, AuthConfig
from local.simulator.connections import Connections
from local.simulator.deliveries import Deliveries, Route
from local.simulator.faults import Faults
from local.simulator.ledger import Ledger
from local.simulator.moment import Ticker, random_id
from local.simulator.ratelimit import RateWindow
from local.simulator.servers import Server, Servers
from local.simulator.subscriptions import Subscriptions
from local.simulator.switches import Switches

DEFAULT_API_KEY = "ak_simulator"
DEMO_AUTH_CONFIGS = {"ac_gmail": "gmail", "ac_slack": "slack"}
DEMO_SERVER = "srv_demo"


class Project:
    """The state of the simulator. Single-threaded: no method awaits, so each is atomic.

    `api_keys` and `demo` are what it begins with, and again after a reset.
    """

    def __init__(self, base_url: str, *, api_keys: frozenset[str], demo: bool) -> None:
        self.base_url = base_url
        self._first_api_keys = api_keys
        self._demo = demo
        self.ledger = Ledger()
        self.faults = Faults()
        self.deliveries = Deliveries(lambda: self.switches, self.route)
        self._begin()

    def reset(self) -> None:
        """Go back to the beginning: state, switches, keys, faults, ledger, deliveries, clock."""
        self.ledger.clear()
        self.faults.clear()
        self.deliveries.reset()
        self._begin()

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
        wanted = event_type or events.OF_STATUS[account.status]
        known = events.known(synthetic=self.switches.synthetic_events)
        if not self.switches.webhooks or wanted not in known or self.route(wanted) is None:
            return None
        at, shape = self.ticker.now(), self.shape(account)
        event = events.envelope(random_id("msg_"), wanted, at, shape)
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

    def shape_server(self, server: Server, *, full: bool = True) -> dict[str, object]:
        """Shape an MCP server for an answer."""
        configs = self.connections.auth_configs
        return wire.server(
            server,
            full=full,
            toolkits=sorted({configs[each].toolkit for each in server.auth_config_ids}),
            instances=len(self.servers.instances[server.id]),
            base_url=self.base_url,
        )

    def _begin(self) -> None:
        self.ticker = Ticker()
        self.window = RateWindow()
        self.switches = Switches()
        self.api_keys = self._first_api_keys
        self.webhook_target: str | None = None
        self.webhook_secrets: tuple[str, ...] = ()
        self.connections = Connections(self.ticker)
        self.servers = Servers(self.ticker, self.connections)
        self.subscriptions = Subscriptions(self.ticker)
        if self._demo:
            for auth_config_id, toolkit in DEMO_AUTH_CONFIGS.items():
                at = self.ticker.tick()
                self.connections.auth_configs[auth_config_id] = AuthConfig(
                    id=auth_config_id, toolkit=toolkit, name=toolkit, created_at=at, updated_at=at
                )
            self.servers.new("demo", tuple(DEMO_AUTH_CONFIGS), server_id=DEMO_SERVER)
