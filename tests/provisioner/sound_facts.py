"""The facts about a stack with which nothing is wrong."""

from handler.targets import Target
from provisioner.activity import Swept
from provisioner.doctor.facts import Commands, EventSource, Facts, Rule
from provisioner.doctor.judge_aws import PARAMETERS as VARIABLES
from provisioner.enrolment import Followers
from provisioner.subscription import Subscription
from tests.world import PROFILE

URL = "https://api.invalid/live/webhooks/composio"
EXPIRED, ACTIVE = "composio.connected_account.expired", "composio.connected_account.activated"
SERVER = Target("srv_demo", frozenset({"ac_gmail", "ac_slack"}))
COMES_HERE = Subscription(
    id="ws_1", webhook_url=URL, version="V3", enabled_events=[EXPIRED, ACTIVE], secret="whsec_1"
)
PARAMETERS = {
    "ComposioBaseUrl": "https://composio.invalid",
    "LogUserIds": "hashed",
    "McpServerIds": "srv_demo",
    "Release": "7",
    "ReturnUrl": "",
}
ENVIRONMENT = {VARIABLES[name]: value for name, value in PARAMETERS.items()}
SOUND = Facts(
    commands=Commands("provisioner --stack-name mine", "aws --region eu-west-1"),
    version="1.2.3",
    own_version="1.2.3",
    parameters=PARAMETERS,
    environments=dict.fromkeys(("webhook", "worker", "announcer"), ENVIRONMENT),
    recursion="Allow",
    outputs={
        "SecretId": "secret-1",
        "WorkerFunctionName": "worker-1",
        "WorkerLogGroupName": "log-of-worker",
        "AnnouncerLogGroupName": "log-of-announcer",
    },
    has_api_key=True,
    webhook_secrets=("whsec_1",),
    secret_flaws=(),
    composio="",
    key_rejected=False,
    servers={"srv_demo": SERVER},
    profiles=(PROFILE,),
    sessions=(True, True),
    followers=Followers({"srv_demo": 1, "work": 1}, complete=True),
    auth_configs=frozenset({"ac_gmail", "ac_slack"}),
    offered=(EXPIRED, ACTIVE),
    subscription=COMES_HERE,
    deprecated={},
    webhook_url=URL,
    rejected={},
    account_rule=Rule("accounts-1", "bus-1", enabled=True),
    worker=EventSource("uuid-1", enabled=True),
    announcer=EventSource("uuid-2", enabled=True, result="OK"),
    queued=3,
    dead=0,
    sweep_rule=Rule("sweep-1", "default", enabled=True),
    swept=Swept(began=59, active=20),
    clocks={"AWS": 1.0, "Composio": -1.0},
)
