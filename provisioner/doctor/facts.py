"""What `doctor` collects, and what it concludes, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from handler.targets import Target
from provisioner.activity import Swept
from provisioner.enrolment import Followers
from provisioner.errors import Trouble
from provisioner.subscription import Subscription

type Level = Literal["ok", "note", "error"]

type Verdict = tuple[Level, str, str]
"""A level, a message, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, and what to do about it."""

    check: str
    level: Level
    message: str
    remedy: str = ""


class Commands(NamedTuple):
    """How the commands of a remedy begin, so that they reach this stack."""

    provisioner: str
    aws: str


class EventSource(NamedTuple):
    """What feeds a function, if anything does (`uuid`), and how that went last."""

    uuid: str = ""
    enabled: bool = False
    result: str = ""


class Rule(NamedTuple):
    """A rule of EventBridge; without a name there is none."""

    name: str = ""
    bus: str = "default"
    enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found. A fact that could not be read is the Trouble that says why.

    Times are Unix seconds, offsets are seconds ahead of this machine.
    """

    commands: Commands
    version: str | None
    """The stack's; None before it had one."""
    own_version: str | None
    """That of this command line; None in a checkout."""
    newest: str | Trouble | None = None
    """The newest release; None where nobody asks."""
    parameters: Mapping[str, str]
    environments: Mapping[str, Mapping[str, str]] | Trouble
    """By function, the environment of the version that runs."""
    recursion: str | Trouble | None
    """What Lambda does when the worker feeds its own queue; None on an emulator."""

    outputs: Mapping[str, str]
    has_api_key: bool | Trouble
    webhook_secrets: tuple[str, ...]
    secret_flaws: tuple[str, ...]
    """Which entries of the secret the functions do not use, and why."""

    composio: str
    """Why Composio cannot be asked anything; "" if it can."""
    key_rejected: bool
    servers: Mapping[str, Target] | Trouble
    profiles: tuple[Target, ...] | Trouble
    sessions: tuple[bool, ...] | Trouble
    """Of a few that are stored, whether Composio knows each."""
    followers: Followers | Trouble
    """Who has connected everything, by the accounts that the sweep reads, too."""
    auth_configs: frozenset[str] | Trouble
    offered: tuple[str, ...] | Trouble
    subscription: Subscription | Trouble | None
    deprecated: Mapping[str, str] | Trouble
    """By endpoint, what its headers say."""

    webhook_url: str
    rejected: Mapping[str, int] | Trouble
    """How many deliveries were rejected in the last hour, by the reason."""
    account_rule: Rule | Trouble
    worker: EventSource | Trouble
    announcer: EventSource | Trouble
    queued: int | Trouble
    dead: int | Trouble
    sweep_rule: Rule | Trouble
    swept: Swept | Trouble | None
    clocks: Mapping[str, float]
    """The clocks that could be read, by whose they are."""

    @property
    def init(self) -> str:
        """The command that fills the secret, and sets up what else is missing."""
        return f"{self.commands.provisioner} init"

    def log(self, function: str) -> str:
        """Return the command that shows the log of a function (`Worker`, …)."""
        group = self.outputs[f"{function}LogGroupName"]
        return f"{self.commands.aws} logs tail {group} --since 1h"


def known[Fact](fact: Fact | Trouble) -> Fact:
    """Return a fact; raises the Trouble where it could not be read."""
    if isinstance(fact, Trouble):
        raise fact
    return fact


def ok(message: str) -> Verdict:
    """Return that nothing is wrong."""
    return "ok", message, ""


def note(message: str, remedy: str) -> Verdict:
    """Return what works, and should be known nevertheless."""
    return "note", message, remedy


def error(message: str, remedy: str) -> Verdict:
    """Return what is wrong."""
    return "error", message, remedy
