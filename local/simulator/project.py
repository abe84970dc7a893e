"""One Composio project with everything around it: what the routes work on."""

from local.simulator import webhook_events, wire
from local.simulator.accounts import Account
from local.simulator.clock import Clock
from local.simulator.connections import Connections
from local.simulator.deliveries import Deliveries, Destination
from local.simulator.faults import Faults
from local.simulator.ledger import Ledger
from local.simulator.options import Options
from local.simulator.servers import Server, Servers
from local.simulator.sessions import Session, Sessions
from local.simulator.subscriptions import Subscriptions
from local.simulator.tools import Tools

DEFAULT_API_KEY = "ak_simulator"
DEMO_AUTH_CONFIGS = {"ac_gmail": "gmail", "ac_slack": "slack"}
DEMO_SERVER = "srv_demo"


class Project:
    """The state of the simulator. Single-threaded: no method awaits, so each is atomic.

    `api_key` and `demo` are what it begins with, and again after a reset.
    """

    def __init__(self, base_url: str, *, api_key: str, demo: bool) -> None:
        self.base_url = base_url
        self._first_api_key = api_key
        self._demo = demo
        self.deliveries = Deliveries(lambda: self.options, self.destination)
        self._begin()

    def reset(self) -> None:
        """Go back to the beginning: state, options, keys, faults, ledger, deliveries, clock."""
        self.deliveries.reset()
        self._begin()

    def destination(self, event_type: str) -> Destination | None:
        """Find where an event goes now: the control target, else the subscription.

        If both go to one place, both sign: it may accept the secret of only one of them.
        """
        found = self.subscriptions.current
        secrets = self.webhook_secrets or ((found.secret,) if found else ())
        if self.webhook_target is not None:
            if found and found.webhook_url == self.webhook_target:
                secrets = tuple(dict.fromkeys((*secrets, found.secret)))
            return Destination(self.webhook_target, secrets)
        if found is None or event_type not in found.enabled_events:
            return None
        return Destination(found.webhook_url, secrets)

    def event_types(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Map the event types that are offered to description and versions."""
        return webhook_events.offered(activated=self.options.activated_event != "off")

    def announce(self, account: Account) -> str | None:
        """Send the event of an account's state and return its webhook id.

        None when nothing is sent: there is no such event, it is not offered, or nobody listens.
        """
        kind = webhook_events.OF_STATUS.get(account.status)
        if kind not in self.event_types() or self.destination(kind) is None:
            return None
        event = webhook_events.event(kind, self.clock.now(), self.shape_account(account))
        self.deliveries.send(event)
        return event.id

    def expire_links(self) -> None:
        """Expire what waited too long and announce it."""
        for account in self.connections.expire_links():
            self.announce(account)

    def link_url(self, token: str) -> str:
        """Return the URL of a consent page."""
        return f"{self.base_url}/link/{token}"

    def mcp_url(self, server: Server) -> str:
        """Return the URL of an MCP server, which wants `user_id` as its query."""
        return f"{self.base_url}/v3/mcp/{server.id}"

    def tools_of(self, session: Session) -> Tools:
        """Return the tools of a session."""
        return Tools(self.connections, session.user_id, self.sessions.toolkits(session))

    def shape_account(self, account: Account, *, full: bool = True) -> dict[str, object]:
        """Shape an account for an answer or an event."""
        config = self.connections.auth_configs[account.auth_config_id]
        link_url = self.link_url(account.link_token or account.id)
        return wire.account(account, config, link_url=link_url, full=full)

    def shape_server(self, server: Server, *, full: bool = True) -> dict[str, object]:
        """Shape an MCP server for an answer."""
        return wire.server(
            server,
            full=full,
            toolkits=list(self.connections.by_toolkit(server.auth_config_ids)),
            instances=len(self.servers.instances[server.id]),
            url=self.mcp_url(server),
        )

    def _begin(self) -> None:
        self.clock = Clock()
        self.options = Options()
        self.faults = Faults()
        self.ledger = Ledger()
        self.api_keys = frozenset({self._first_api_key})
        self.webhook_target: str | None = None
        self.webhook_secrets: tuple[str, ...] = ()
        self.connections = Connections(self.clock)
        self.servers = Servers(self.clock, self.connections)
        self.sessions = Sessions(self.connections)
        self.subscriptions = Subscriptions(self.clock, self.event_types)
        if self._demo:
            for auth_config_id, toolkit in DEMO_AUTH_CONFIGS.items():
                self.connections.new_auth_config(toolkit, auth_config_id)
            self.servers.new("demo", tuple(DEMO_AUTH_CONFIGS), server_id=DEMO_SERVER)
