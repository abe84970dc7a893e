"""The catalog comes from memory, then the table, then Composio."""

from typing import Any

import httpx
import pytest

from handler.catalog import SYNC_SECONDS, Catalog, View
from handler.dynamodb import TooLarge
from handler.targets import Kind, Target, TargetId
from handler.walk_table import BACKFILL
from tests.doubles import Counted, Log
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


def shown(server: Target) -> dict[str, object]:
    """Return the server as Composio shows it."""
    auth_configs = sorted(server.required)
    return {"id": server.id, "name": "demo", "auth_config_ids": auth_configs, "mcp_url": server.url}


@pytest.fixture
def world() -> CatalogWorld:
    return CatalogWorld()


def test_view_finds_the_servers_that_require_an_auth_config() -> None:
    view = View((BOTH, MAIL), up_to_date=True)

    assert view.requiring("ac_mail") == (BOTH, MAIL)
    assert view.requiring("ac_chat") == (BOTH,)
    assert view.requiring("ac_other") == ()


def test_server_without_a_url_has_the_documented_one(world: CatalogWorld) -> None:
    world.upstream.servers, world.upstream.urls = {MAIL.id: ["ac_mail"]}, {}
    catalog = world.new_catalog()

    (server,) = catalog.sync(deadline=world.deadline).targets

    assert server.url == "https://composio.invalid/v3/mcp/srv_mail"
    assert world.new_catalog().known().targets == (server,)


def test_toolkits_are_stored_with_the_server_and_asked_for_once(world: CatalogWorld) -> None:
    world.toolkits = {"ac_mail": "gmail", "ac_chat": "slack", "ac_other": "notion"}
    catalog = world.new_catalog()
    both, mail = catalog.sync(deadline=world.deadline).targets

    assert (mail.toolkits, both.toolkits) == (
        {"ac_mail": "gmail"},
        {"ac_mail": "gmail", "ac_chat": "slack"},
    )
    assert world.new_catalog().known().targets == (both, mail)
    world.now += 300
    world.new_catalog().sync(deadline=world.deadline)
    assert world.asked_for_toolkits == 1
    world.upstream.servers[MAIL.id] = ["ac_other"]
    world.now += 300
    assert catalog.sync(deadline=world.deadline).targets[1].toolkits == {"ac_other": "notion"}
    assert world.asked_for_toolkits == 2
    assert catalog.toolkits() == world.toolkits


def test_toolkit_that_composio_does_not_list_is_asked_for_once(world: CatalogWorld) -> None:
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.new_catalog(BOTH.id)
    for _ in range(3):
        (both,) = catalog.sync(deadline=world.deadline).targets
        world.now += 60

    assert both.toolkits == {"ac_mail": "gmail"}
    assert world.asked_for_toolkits == 1


def test_servers_are_known_although_their_toolkits_cannot_be_read(world: CatalogWorld) -> None:
    world.odd = dict.fromkeys({"auth_configs"}, UNAVAILABLE)
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.new_catalog(MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    world.odd.clear()
    world.now += 300
    (mail,) = catalog.sync(deadline=world.deadline).targets
    assert mail.toolkits == {"ac_mail": "gmail"}


def test_catalog_is_empty_and_not_up_to_date_at_first(world: CatalogWorld) -> None:
    assert world.new_catalog().known() == View((), up_to_date=False)
    assert world.new_catalog(MAIL.id).known() == View((), up_to_date=False)
    assert world.asked == []


@pytest.mark.parametrize(
    ("ids", "asked"), [([MAIL.id, BOTH.id], [BOTH.id, MAIL.id]), ([], ["servers"])]
)
def test_servers_are_read_at_composio_and_the_next_environment_has_them(
    world: CatalogWorld, ids: list[str], asked: list[str]
) -> None:
    catalog, everything = world.new_catalog(*ids), View((BOTH, MAIL), up_to_date=True)

    assert catalog.sync(deadline=world.deadline) == everything
    assert catalog.known() == everything
    assert world.new_catalog(*ids).known() == everything
    assert world.asked == asked


def test_server_that_is_not_enrolled_is_left_alone(world: CatalogWorld) -> None:
    world.new_catalog().sync(deadline=world.deadline)

    assert world.new_catalog(MAIL.id).known() == View((MAIL,), up_to_date=True)


def test_table_is_read_once_a_minute(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.known()
    world.catalog_table.store_server(MAIL)
    world.catalog_table.store_synced(int(world.now))
    world.trips()

    world.now += 59
    assert catalog.known().targets == ()
    assert world.trips()[0] == []
    world.now += 1
    assert catalog.known() == View((MAIL,), up_to_date=True)
    catalog.known()
    assert world.trips()[0] == ["Query"]


@pytest.mark.parametrize(("seconds", "fresh"), [(899, True), (900, False)])
def test_catalog_is_up_to_date_for_a_quarter_of_an_hour(
    world: CatalogWorld, seconds: float, *, fresh: bool
) -> None:
    world.new_catalog().sync(deadline=world.deadline)
    world.now += seconds

    assert world.new_catalog().known() == View((BOTH, MAIL), up_to_date=fresh)


def test_catalog_without_an_enrolled_server_is_not_up_to_date(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id).sync(deadline=world.deadline)

    assert world.new_catalog(MAIL.id, BOTH.id).known() == View((MAIL,), up_to_date=False)


def test_server_is_read_every_five_minutes(world: CatalogWorld) -> None:
    catalog = world.new_catalog(MAIL.id)
    catalog.sync(deadline=world.deadline)
    changed = MAIL._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[MAIL.id] = ["ac_chat"]

    world.now += 299
    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    world.now += 1
    assert catalog.sync(deadline=world.deadline).targets == (changed,)
    assert world.asked == [MAIL.id, MAIL.id]


def test_only_servers_that_have_changed_are_written(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)
    assert world.trips()[0] == ["Query", *["UpdateItem"] * 5]  # each with its back-fill

    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[BOTH.id] = ["ac_chat"]
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=True)

    assert world.trips()[0] == ["Query", *["UpdateItem"] * 3]
    assert world.new_catalog().known() == View((changed, MAIL), up_to_date=True)


def test_unavailable_server_stays_as_it_was(
    world: CatalogWorld, log: Log, counted: Counted
) -> None:
    world.new_catalog(MAIL.id, BOTH.id).sync(deadline=world.deadline)
    world.now += 900
    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.upstream.servers[BOTH.id] = ["ac_chat"]
    world.odd = dict.fromkeys({MAIL.id}, UNAVAILABLE)
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=False)

    assert world.new_catalog(MAIL.id, BOTH.id).known() == View((changed, MAIL), up_to_date=False)
    assert counted() == {"CatalogUnavailable": 1}
    assert [(line["level"], line["problem"]) for line in log.lines] == [
        ("WARNING", {"status": 503})
    ]


def test_failed_read_is_not_repeated_within_a_minute(world: CatalogWorld) -> None:
    world.odd = dict.fromkeys({"servers"}, UNAVAILABLE)
    catalog = world.new_catalog()

    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.odd.clear()
    world.now += 59
    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.now += 1
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.asked == ["servers", "servers"]


def test_without_time_composio_is_not_asked(world: CatalogWorld) -> None:
    assert not world.new_catalog().sync(deadline=world.now).up_to_date
    assert world.asked == []


def test_enrolled_server_that_does_not_exist_is_logged_and_left_out(
    world: CatalogWorld, log: Log, counted: Counted
) -> None:
    catalog = world.new_catalog("srv_typo", MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=False)
    assert log.lines == []
    world.now += 60
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)

    assert world.asked == [MAIL.id, "srv_typo", "srv_typo"]
    assert world.new_catalog("srv_typo", MAIL.id).known() == View((MAIL,), up_to_date=True)
    assert [(line["level"], line["server_id"]) for line in log.lines] == [("ERROR", "srv_typo")]
    assert counted() == {}


def test_deleted_server_is_left_out_until_it_is_back(world: CatalogWorld) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)

    gone = world.upstream.servers.pop(BOTH.id)
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    world.now += 60
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    assert world.new_catalog().known() == View((MAIL,), up_to_date=True)
    world.upstream.servers[BOTH.id] = gone
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.new_catalog().known() == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_unreadable_server_does_not_stop_the_others_and_is_logged(
    world: CatalogWorld, ids: tuple[str, ...], log: Log, counted: Counted
) -> None:
    odd = shown(BOTH) | {"auth_config_ids": None}
    world.odd = {
        BOTH.id: httpx.Response(200, json=odd),
        "servers": httpx.Response(200, json={"items": [{"name": "of no id"}, odd, shown(MAIL)]}),
    }
    catalog = world.new_catalog(*ids)

    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    assert counted()["ItemUnreadable"] == (1 if ids else 2)
    assert {line["level"] for line in log.lines} == {"WARNING"}
    world.odd.clear()
    world.now += 300
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"items": None}),
        httpx.Response(200, json={"items": []}),
        httpx.Response(404, json={"error": {"message": "not found"}}),
        httpx.Response(200, json=shown(BOTH) | {"deleted": True}),
    ],
)
@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_no_server_is_gone_for_one_odd_answer(
    world: CatalogWorld, ids: tuple[str, ...], answer: httpx.Response
) -> None:
    catalog = world.new_catalog(*ids)
    catalog.sync(deadline=world.deadline)
    world.odd = {MAIL.id: answer, BOTH.id: answer, "servers": answer}

    world.now += 300
    assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)
    world.odd.clear()
    world.now += 60
    catalog.sync(deadline=world.deadline)
    world.now += 300

    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert catalog.target(BOTH.key, deadline=world.deadline) == BOTH


@pytest.mark.parametrize("by_id", [httpx.Response(200, json=shown(BOTH)), UNAVAILABLE])
def test_server_that_a_list_lacks_stays_unless_composio_does_not_know_it(
    world: CatalogWorld, by_id: httpx.Response
) -> None:
    catalog = world.new_catalog()
    catalog.sync(deadline=world.deadline)
    short = httpx.Response(200, json={"items": [shown(MAIL)]})
    world.odd = {"servers": short, BOTH.id: by_id}

    for _ in range(10):
        world.now += 300
        assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)


def test_many_slow_servers_are_all_read_in_turns(world: CatalogWorld) -> None:
    many = {f"srv_{number:03}": ["ac_mail"] for number in range(22)}
    world.upstream.servers, world.seconds = many, 1.25
    catalog = world.new_catalog(*many)

    for _ in range(5):
        began = world.now
        catalog.refresh(deadline=began + 9)
        assert world.now - began <= 10
        world.now += 60 - (world.now - began)

    assert sorted(world.asked) == sorted(many)
    assert catalog.known().up_to_date
    for _ in range(15):
        catalog.refresh(deadline=world.now + 9)
        assert catalog.known().up_to_date
        world.now += 50


def test_servers_that_hang_do_not_keep_the_others_from_being_read(world: CatalogWorld) -> None:
    hanging = {f"srv_{number}" for number in range(5)}
    names = {*hanging, *(f"srv_{number}" for number in range(5, 15))}
    world.upstream.servers = {one: ["ac_mail"] for one in names}
    catalog = world.new_catalog(*names)
    catalog.refresh(deadline=world.deadline)
    world.hanging, world.seconds = hanging, 0.5

    for _ in range(20):
        began = world.now
        catalog.refresh(deadline=began + 9)
        world.now += 60 - (world.now - began)

    known = world.catalog_table.catalog().servers
    assert all(world.now - known[one].read_at < 900 for one in names - hanging)
    assert all(world.now - known[one].read_at > 900 for one in hanging)


def test_outage_costs_one_call_a_minute(world: CatalogWorld, counted: Counted) -> None:
    world.odd = dict.fromkeys({MAIL.id, BOTH.id}, UNAVAILABLE)
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    for _ in range(4):
        catalog.sync(deadline=world.deadline)
        world.now += 60

    assert world.asked == [BOTH.id, MAIL.id] * 2
    assert counted()["CatalogUnavailable"] == 4


def test_target_is_read_without_the_other_servers(world: CatalogWorld) -> None:
    world.seconds = 3
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    assert catalog.target(MAIL.key, deadline=world.deadline) == MAIL
    assert world.asked == [MAIL.id]
    assert catalog.target(TargetId(Kind.INSTANCE, "srv_of_others"), deadline=world.deadline).gone
    assert world.asked == [MAIL.id]


def test_sync_gives_up_on_a_slow_composio_after_a_few_seconds(world: CatalogWorld) -> None:
    world.hanging = {MAIL.id, BOTH.id}
    began = world.now

    world.new_catalog(MAIL.id, BOTH.id).sync(deadline=world.now + 22)

    assert world.now - began <= SYNC_SECONDS


def test_server_that_is_enrolled_again_is_back_filled(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.now += 120
    for key in (MAIL.key, BOTH.key):
        walk = world.walk_table.take(
            BACKFILL + key.sort_key, token="t", mine="", now=int(world.now), lease=9
        )
        assert walk
        world.walk_table.end(walk)
    world.new_catalog(MAIL.id).refresh(deadline=world.deadline)
    assert world.backfills == set()

    again = world.new_catalog(MAIL.id, BOTH.id)
    again.refresh(deadline=world.deadline)

    assert world.backfills == {f"BACKFILL#INSTANCE#{BOTH.id}"}
    assert not world.catalog_table.catalog().servers[BOTH.id].left


def test_server_that_is_no_longer_enrolled_is_marked_once(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    without = world.new_catalog(MAIL.id)
    without.refresh(deadline=world.deadline)
    world.trips()

    for _ in range(3):
        world.now += 60
        without.refresh(deadline=world.deadline)

    assert world.trips()[0] == ["Query"] * 3


def test_server_that_was_not_enrolled_is_back_filled_when_all_are(world: CatalogWorld) -> None:
    world.new_catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.new_catalog(MAIL.id).refresh(deadline=world.deadline)
    every = world.new_catalog()
    assert every.known().targets == (MAIL,)

    every.refresh(deadline=world.deadline)

    assert every.known() == View((BOTH, MAIL), up_to_date=True)
    assert f"BACKFILL#INSTANCE#{BOTH.id}" in world.backfills


def test_server_that_cannot_be_stored_does_not_stop_the_others(
    world: CatalogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.catalog_table.store_server

    def full(server: Target, **given: Any) -> None:
        if server == BOTH:
            raise TooLarge
        store(server, **given)

    monkeypatch.setattr(world.catalog_table, "store_server", full)
    catalog = world.new_catalog(MAIL.id, BOTH.id)

    with pytest.raises(TooLarge):
        catalog.refresh(deadline=world.deadline)
    assert catalog.known().targets == (MAIL,)
