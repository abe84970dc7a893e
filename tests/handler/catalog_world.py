"""A catalog whose MCP servers a test chooses."""

import httpx

from handler.catalog import Catalog
from handler.targets import Target
from tests.world import World

URL = "https://composio.invalid"
MAIL = Target("srv_mail", frozenset({"ac_mail"}), name="demo", url="https://c.example/mail")
BOTH = Target("srv_both", MAIL.required | {"ac_chat"}, name="demo", url="https://c.example/both")
UNAVAILABLE = httpx.Response(503)


class CatalogWorld(World):
    """A world of two servers, in which Composio may answer oddly, late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.upstream.servers = {one.id: sorted(one.required) for one in (MAIL, BOTH)}
        self.upstream.urls = {one.id: one.url for one in (MAIL, BOTH)}
        self.toolkits: dict[str, str] = {}
        self.odd: dict[str, httpx.Response] = {}
        self.hanging: set[str] = set()
        self.seconds = 0.0
        self.asked: list[str] = []
        self.asked_for_toolkits = 0
        http = httpx.Client(base_url=URL, transport=httpx.MockTransport(self._answer))
        self.composio = self.provisioning.composio
        self.composio.transport.connect = lambda: http

    def new_catalog(self, *enrolled: str) -> Catalog:
        """Return the catalog of a new execution environment; of every server without ids."""
        ids = frozenset(enrolled) or None
        return Catalog(self.catalog_table, self.composio, ids, URL, clock=lambda: self.now)

    @property
    def backfills(self) -> set[str]:
        """The back-fills that are not done."""
        return {walk.name for walk in self.walk_table.walks()}

    @property
    def deadline(self) -> float:
        """Twenty seconds from now."""
        return self.now + 20

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        if name == "auth_configs":
            self.asked_for_toolkits += 1
            named = self.toolkits.items()
            items = [{"id": auth_config, "toolkit": {"slug": slug}} for auth_config, slug in named]
            return self.odd.get(name, httpx.Response(200, json={"items": items}))
        self.asked.append(name)
        self.now += self.seconds
        if name in self.hanging:
            self.now += request.extensions["timeout"]["read"]
            raise httpx.ReadTimeout("slow")
        return self.odd.get(name) or self.upstream(request)
