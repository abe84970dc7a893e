"""The catalog comes from memory, then the table, then Composio."""

from typing import Any, cast

import httpx
import pytest
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient

from handler.catalog import SYNC_SECONDS, Catalog, View
from handler.catalog_table import CatalogTable
from handler.composio import Composio
from handler.credentials import Credentials
from handler.dynamodb import Table, TooLarge
from handler.targets import Kind, Target, TargetId
from handler.transport import Transport
from handler.walk_table import BACKFILL, WalkTable
from tests.doubles import Clock, Counted, FakeSecretsManager, Log
from tests.fakes.dynamodb import FakeDynamoDB

TABLE = "provisioner"
MAIL = Target("srv_mail", frozenset({"ac_mail"}), name="mail", url="https://c.example/mail")
BOTH = Target(
    "srv_both", frozenset({"ac_mail", "ac_chat"}), name="both", url="https://c.example/both"
)


class World:
    """A table, and a Composio that has `servers`, or answers oddly, or not at all."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.servers = {one.id: one for one in (MAIL, BOTH)}
        self.odd: dict[str, httpx.Response] = {}
        self.hanging: set[str] = set()
        self.seconds = 0.0
        self.asked: list[str] = []
        self.toolkits: dict[str, str] = {}
        self.asked_for_toolkits = 0
        self.dynamodb = FakeDynamoDB(TABLE)
        table = Table(cast("DynamoDBClient", self.dynamodb), TABLE)
        self.walk_table = WalkTable(table)
        self.catalog_table = CatalogTable(table, self.walk_table)
        store = FakeSecretsManager()
        store.keep("ak_invented")
        secrets = cast("SecretsManagerClient", store)
        http = httpx.Client(
            base_url="https://composio.example", transport=httpx.MockTransport(self._answer)
        )
        credentials = Credentials(secrets, "composio", clock=clock)
        self.composio = Composio(Transport(lambda: http, credentials, clock=clock))

    def catalog(self, *enrolled: str) -> Catalog:
        """Return the catalog of a new execution environment; of every server without ids."""
        ids = frozenset(enrolled) or None
        base_url = "https://composio.example"
        return Catalog(self.catalog_table, self.composio, ids, base_url, clock=self.clock)

    @property
    def backfills(self) -> set[str]:
        """The back-fills that are not done."""
        return {walk.name for walk in self.walk_table.walks()}

    @property
    def deadline(self) -> float:
        """Twenty seconds from now."""
        return self.clock() + 20

    def trips(self) -> list[str]:
        """Return the requests to DynamoDB since the last time."""
        names = [name for name, _ in self.dynamodb.calls]
        self.dynamodb.calls.clear()
        return names

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v3/auth_configs":
            return self._auth_configs()
        name = request.url.path.removeprefix("/api/v3/mcp/")
        self.asked.append(name)
        self.clock.forward(self.seconds)
        if name in self.odd:
            return self.odd[name]
        if name in self.hanging:
            self.clock.forward(request.extensions["timeout"]["read"])
            raise httpx.ReadTimeout("slow")
        if name == "servers":
            return httpx.Response(200, json={"items": [*map(_body, self.servers.values())]})
        if name in self.servers:
            return httpx.Response(200, json=_body(self.servers[name]))
        return httpx.Response(404, json={"error": {"message": "not found"}})

    def _auth_configs(self) -> httpx.Response:
        self.asked_for_toolkits += 1
        items = [{"id": name, "toolkit": {"slug": slug}} for name, slug in self.toolkits.items()]
        return self.odd.get("auth_configs", httpx.Response(200, json={"items": items}))


def _body(server: Target) -> dict[str, object]:
    return {
        "id": server.id,
        "name": server.name,
        "auth_config_ids": sorted(server.required),
        "deleted": server.gone,
        "mcp_url": server.url,
    }


UNAVAILABLE = httpx.Response(503)


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


def test_view_finds_the_servers_that_require_an_auth_config() -> None:
    view = View((BOTH, MAIL), up_to_date=True)

    assert view.requiring("ac_mail") == (BOTH, MAIL)
    assert view.requiring("ac_chat") == (BOTH,)
    assert view.requiring("ac_other") == ()


def test_server_without_a_url_has_the_documented_one(world: World) -> None:
    world.servers = {MAIL.id: MAIL._replace(url="")}
    catalog = world.catalog()

    (server,) = catalog.sync(deadline=world.deadline).targets

    assert server.url == "https://composio.example/v3/mcp/srv_mail"
    assert world.catalog().known().targets == (server,)


def test_toolkits_are_stored_with_the_server_and_asked_for_once(world: World) -> None:
    world.toolkits = {"ac_mail": "gmail", "ac_chat": "slack", "ac_other": "notion"}
    catalog = world.catalog()
    both, mail = catalog.sync(deadline=world.deadline).targets

    assert (mail.toolkits, both.toolkits) == (
        {"ac_mail": "gmail"},
        {"ac_mail": "gmail", "ac_chat": "slack"},
    )
    assert world.catalog().known().targets == (both, mail)
    world.clock.forward(300)
    world.catalog().sync(deadline=world.deadline)
    assert world.asked_for_toolkits == 1
    world.servers[MAIL.id] = MAIL._replace(required=frozenset({"ac_other"}))
    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline).targets[1].toolkits == {"ac_other": "notion"}
    assert world.asked_for_toolkits == 2
    assert catalog.toolkits() == world.toolkits


def test_toolkit_that_composio_does_not_list_is_asked_for_once(world: World) -> None:
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.catalog(BOTH.id)
    for _ in range(3):
        (both,) = catalog.sync(deadline=world.deadline).targets
        world.clock.forward(60)

    assert both.toolkits == {"ac_mail": "gmail"}
    assert world.asked_for_toolkits == 1


def test_servers_are_known_although_their_toolkits_cannot_be_read(world: World) -> None:
    world.odd = dict.fromkeys({"auth_configs"}, UNAVAILABLE)
    world.toolkits = {"ac_mail": "gmail"}
    catalog = world.catalog(MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    world.odd.clear()
    world.clock.forward(300)
    (mail,) = catalog.sync(deadline=world.deadline).targets
    assert mail.toolkits == {"ac_mail": "gmail"}


def test_catalog_is_empty_and_not_up_to_date_at_first(world: World) -> None:
    assert world.catalog().known() == View((), up_to_date=False)
    assert world.catalog(MAIL.id).known() == View((), up_to_date=False)
    assert world.asked == []


@pytest.mark.parametrize(
    ("ids", "asked"), [([MAIL.id, BOTH.id], [BOTH.id, MAIL.id]), ([], ["servers"])]
)
def test_servers_are_read_at_composio_and_the_next_environment_has_them(
    world: World, ids: list[str], asked: list[str]
) -> None:
    catalog, everything = world.catalog(*ids), View((BOTH, MAIL), up_to_date=True)

    assert catalog.sync(deadline=world.deadline) == everything
    assert catalog.known() == everything
    assert world.catalog(*ids).known() == everything
    assert world.asked == asked


def test_server_that_is_not_enrolled_is_left_alone(world: World) -> None:
    world.catalog().sync(deadline=world.deadline)

    assert world.catalog(MAIL.id).known() == View((MAIL,), up_to_date=True)


def test_table_is_read_once_a_minute(world: World) -> None:
    catalog = world.catalog()
    catalog.known()
    world.catalog_table.store_server(MAIL)
    world.catalog_table.store_synced(int(world.clock()))
    world.trips()

    world.clock.forward(59)
    assert catalog.known().targets == ()
    assert world.trips() == []
    world.clock.forward(1)
    assert catalog.known() == View((MAIL,), up_to_date=True)
    catalog.known()
    assert world.trips() == ["Query"]


@pytest.mark.parametrize(("seconds", "fresh"), [(899, True), (900, False)])
def test_catalog_is_up_to_date_for_a_quarter_of_an_hour(
    world: World, seconds: float, *, fresh: bool
) -> None:
    world.catalog().sync(deadline=world.deadline)
    world.clock.forward(seconds)

    assert world.catalog().known() == View((BOTH, MAIL), up_to_date=fresh)


def test_catalog_without_an_enrolled_server_is_not_up_to_date(world: World) -> None:
    world.catalog(MAIL.id).sync(deadline=world.deadline)

    assert world.catalog(MAIL.id, BOTH.id).known() == View((MAIL,), up_to_date=False)


def test_server_is_read_every_five_minutes(world: World) -> None:
    catalog = world.catalog(MAIL.id)
    catalog.sync(deadline=world.deadline)
    changed = MAIL._replace(required=frozenset({"ac_chat"}))
    world.servers[MAIL.id] = changed

    world.clock.forward(299)
    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    world.clock.forward(1)
    assert catalog.sync(deadline=world.deadline).targets == (changed,)
    assert world.asked == [MAIL.id, MAIL.id]


def test_only_servers_that_have_changed_are_written(world: World) -> None:
    catalog = world.catalog()
    catalog.sync(deadline=world.deadline)
    assert world.trips() == ["Query", *["UpdateItem"] * 5]  # each with its back-fill

    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.servers[BOTH.id] = changed
    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=True)

    assert world.trips() == ["Query", *["UpdateItem"] * 3]
    assert world.catalog().known() == View((changed, MAIL), up_to_date=True)


def test_unavailable_server_stays_as_it_was(world: World, log: Log, counted: Counted) -> None:
    world.catalog(MAIL.id, BOTH.id).sync(deadline=world.deadline)
    world.clock.forward(900)
    changed = BOTH._replace(required=frozenset({"ac_chat"}))
    world.servers[BOTH.id] = changed
    world.odd = dict.fromkeys({MAIL.id}, UNAVAILABLE)
    catalog = world.catalog(MAIL.id, BOTH.id)

    assert catalog.sync(deadline=world.deadline) == View((changed, MAIL), up_to_date=False)

    assert world.catalog(MAIL.id, BOTH.id).known() == View((changed, MAIL), up_to_date=False)
    assert counted() == {"CatalogUnavailable": 1}
    assert [(line["level"], line["problem"]) for line in log.lines] == [
        ("WARNING", {"status": 503})
    ]


def test_failed_read_is_not_repeated_within_a_minute(world: World) -> None:
    world.odd = dict.fromkeys({"servers"}, UNAVAILABLE)
    catalog = world.catalog()

    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.odd.clear()
    world.clock.forward(59)
    assert catalog.sync(deadline=world.deadline) == View((), up_to_date=False)
    world.clock.forward(1)
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.asked == ["servers", "servers"]


def test_without_time_composio_is_not_asked(world: World) -> None:
    assert not world.catalog().sync(deadline=world.clock()).up_to_date
    assert world.asked == []


def test_enrolled_server_that_does_not_exist_is_logged_and_left_out(
    world: World, log: Log, counted: Counted
) -> None:
    catalog = world.catalog("srv_typo", MAIL.id)

    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=False)
    assert log.lines == []
    world.clock.forward(60)
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)

    assert world.asked == [MAIL.id, "srv_typo", "srv_typo"]
    assert world.catalog("srv_typo", MAIL.id).known() == View((MAIL,), up_to_date=True)
    assert [(line["level"], line["server_id"]) for line in log.lines] == [("ERROR", "srv_typo")]
    assert counted() == {}


def test_deleted_server_is_left_out_until_it_is_back(world: World) -> None:
    catalog = world.catalog()
    catalog.sync(deadline=world.deadline)

    del world.servers[BOTH.id]
    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    world.clock.forward(60)
    assert catalog.sync(deadline=world.deadline) == View((MAIL,), up_to_date=True)
    assert world.catalog().known() == View((MAIL,), up_to_date=True)
    world.servers[BOTH.id] = BOTH
    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert world.catalog().known() == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_unreadable_server_does_not_stop_the_others_and_is_logged(
    world: World, ids: tuple[str, ...], log: Log, counted: Counted
) -> None:
    odd = _body(BOTH) | {"auth_config_ids": None}
    world.odd = {
        BOTH.id: httpx.Response(200, json=odd),
        "servers": httpx.Response(200, json={"items": [{"name": "of no id"}, odd, _body(MAIL)]}),
    }
    catalog = world.catalog(*ids)

    assert catalog.sync(deadline=world.deadline).targets == (MAIL,)
    assert counted()["ItemUnreadable"] == (1 if ids else 2)
    assert {line["level"] for line in log.lines} == {"WARNING"}
    world.odd.clear()
    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"items": None}),
        httpx.Response(200, json={"items": []}),
        httpx.Response(404, json={"error": {"message": "not found"}}),
        httpx.Response(200, json=_body(BOTH) | {"deleted": True}),
    ],
)
@pytest.mark.parametrize("ids", [(), (MAIL.id, BOTH.id)])
def test_no_server_is_gone_for_one_odd_answer(
    world: World, ids: tuple[str, ...], answer: httpx.Response
) -> None:
    catalog = world.catalog(*ids)
    catalog.sync(deadline=world.deadline)
    world.odd = {MAIL.id: answer, BOTH.id: answer, "servers": answer}

    world.clock.forward(300)
    assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)
    world.odd.clear()
    world.clock.forward(60)
    catalog.sync(deadline=world.deadline)
    world.clock.forward(300)

    assert catalog.sync(deadline=world.deadline) == View((BOTH, MAIL), up_to_date=True)
    assert catalog.target(BOTH.key, deadline=world.deadline) == BOTH


@pytest.mark.parametrize("by_id", [httpx.Response(200, json=_body(BOTH)), UNAVAILABLE])
def test_server_that_a_list_lacks_stays_unless_composio_does_not_know_it(
    world: World, by_id: httpx.Response
) -> None:
    catalog = world.catalog()
    catalog.sync(deadline=world.deadline)
    short = httpx.Response(200, json={"items": [_body(MAIL)]})
    world.odd = {"servers": short, BOTH.id: by_id}

    for _ in range(10):
        world.clock.forward(300)
        assert catalog.sync(deadline=world.deadline).targets == (BOTH, MAIL)


def test_many_slow_servers_are_all_read_in_turns(world: World) -> None:
    many = {f"srv_{number:03}": MAIL._replace(id=f"srv_{number:03}") for number in range(22)}
    world.servers, world.seconds = many, 1.25
    catalog = world.catalog(*many)

    for _ in range(5):
        began = world.clock()
        catalog.refresh(deadline=began + 9)
        assert world.clock() - began <= 10
        world.clock.forward(60 - (world.clock() - began))

    assert sorted(world.asked) == sorted(many)
    assert catalog.known().up_to_date
    for _ in range(15):
        catalog.refresh(deadline=world.clock() + 9)
        assert catalog.known().up_to_date
        world.clock.forward(50)


def test_servers_that_hang_do_not_keep_the_others_from_being_read(world: World) -> None:
    hanging = {f"srv_{number}" for number in range(5)}
    names = {*hanging, *(f"srv_{number}" for number in range(5, 15))}
    world.servers = {one: MAIL._replace(id=one) for one in names}
    catalog = world.catalog(*names)
    catalog.refresh(deadline=world.deadline)
    world.hanging, world.seconds = hanging, 0.5

    for _ in range(20):
        began = world.clock()
        catalog.refresh(deadline=began + 9)
        world.clock.forward(60 - (world.clock() - began))

    known = world.catalog_table.catalog().servers
    assert all(world.clock() - known[one].read_at < 900 for one in names - hanging)
    assert all(world.clock() - known[one].read_at > 900 for one in hanging)


def test_outage_costs_one_call_a_minute(world: World, counted: Counted) -> None:
    world.odd = dict.fromkeys({MAIL.id, BOTH.id}, UNAVAILABLE)
    catalog = world.catalog(MAIL.id, BOTH.id)

    for _ in range(4):
        catalog.sync(deadline=world.deadline)
        world.clock.forward(60)

    assert world.asked == [BOTH.id, MAIL.id] * 2
    assert counted()["CatalogUnavailable"] == 4


def test_target_is_read_without_the_other_servers(world: World) -> None:
    world.seconds = 3
    catalog = world.catalog(MAIL.id, BOTH.id)

    assert catalog.target(MAIL.key, deadline=world.deadline) == MAIL
    assert world.asked == [MAIL.id]
    assert catalog.target(TargetId(Kind.INSTANCE, "srv_of_others"), deadline=world.deadline).gone
    assert world.asked == [MAIL.id]


def test_sync_gives_up_on_a_slow_composio_after_a_few_seconds(world: World) -> None:
    world.hanging = {MAIL.id, BOTH.id}
    began = world.clock()

    world.catalog(MAIL.id, BOTH.id).sync(deadline=world.clock() + 22)

    assert world.clock() - began <= SYNC_SECONDS


def test_server_that_is_enrolled_again_is_back_filled(world: World) -> None:
    world.catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.clock.forward(120)
    for key in (MAIL.key, BOTH.key):
        walk = world.walk_table.take(
            BACKFILL + key.sort_key, token="t", mine="", now=int(world.clock()), lease=9
        )
        assert walk
        world.walk_table.end(walk)
    world.catalog(MAIL.id).refresh(deadline=world.deadline)
    assert world.backfills == set()

    again = world.catalog(MAIL.id, BOTH.id)
    again.refresh(deadline=world.deadline)

    assert world.backfills == {f"BACKFILL#INSTANCE#{BOTH.id}"}
    assert not world.catalog_table.catalog().servers[BOTH.id].left


def test_server_that_is_no_longer_enrolled_is_marked_once(world: World) -> None:
    world.catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    without = world.catalog(MAIL.id)
    without.refresh(deadline=world.deadline)
    world.trips()

    for _ in range(3):
        world.clock.forward(60)
        without.refresh(deadline=world.deadline)

    assert world.trips() == ["Query"] * 3


def test_server_that_was_not_enrolled_is_back_filled_when_all_are(world: World) -> None:
    world.catalog(MAIL.id, BOTH.id).refresh(deadline=world.deadline)
    world.catalog(MAIL.id).refresh(deadline=world.deadline)
    every = world.catalog()
    assert every.known().targets == (MAIL,)

    every.refresh(deadline=world.deadline)

    assert every.known() == View((BOTH, MAIL), up_to_date=True)
    assert f"BACKFILL#INSTANCE#{BOTH.id}" in world.backfills


def test_server_that_cannot_be_stored_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.catalog_table.store_server

    def full(server: Target, **given: Any) -> None:
        if server == BOTH:
            raise TooLarge
        store(server, **given)

    monkeypatch.setattr(world.catalog_table, "store_server", full)
    catalog = world.catalog(MAIL.id, BOTH.id)

    with pytest.raises(TooLarge):
        catalog.refresh(deadline=world.deadline)
    assert catalog.known().targets == (MAIL,)
