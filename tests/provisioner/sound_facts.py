"""The facts about a stack with which nothing is wrong."""

from handler.values import Target
from provisioner.activity import Swept
from provisioner.doctor.facts import Facts
from provisioner.subscription import Subscription

URL = "https://api.invalid/live/webhooks/composio"
EXPIRED, ACTIVE = "composio.connected_account.expired", "composio.connected_account.activated"
SERVER = Target("srv_demo", frozenset({"ac_gmail", "ac_slack"}))
COMES_HERE = Subscription(
    id="ws_1", webhook_url=URL, version="V3", enabled_events=[EXPIRED, ACTIVE], secret="whsec_1"
)
SOUND = Facts(
    webhook_url=URL,
    has_api_key=True,
    webhook_secrets=("whsec_1",),
    secret_flaws=(),
    composio="",
    key_rejected=False,
    servers={"srv_demo": SERVER},
    accounts=True,
    auth_configs=frozenset({"ac_gmail", "ac_slack"}),
    subscription=COMES_HERE,
    offered=(EXPIRED, ACTIVE),
    queued=3,
    worker_takes=True,
    dead=0,
    schedule=True,
    swept=Swept(began=59, active=20),
    clocks={"AWS": 1.0, "Composio": -1.0},
    deprecated={},
)
