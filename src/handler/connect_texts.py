"""What the pages of a connect session say, in one place: another language is another `Texts`."""

from typing import NamedTuple


class Notice(NamedTuple):
    """A page that says one thing."""

    title: str
    said: str


class Texts(NamedTuple):
    """Everything that is said, in one language; braces stand for what is filled in."""

    language: str
    application: str
    """What an application is called that has no name here."""

    start: Notice
    start_for: str
    warning: str
    proceed: str

    listing: Notice
    connected: str
    connect: str
    connect_named: str
    reconnect: str
    reconnect_named: str
    ended: str
    leaving: Notice
    leave: str

    pending: Notice
    look_again: str
    ready: Notice
    failed: Notice

    invalid: Notice
    elsewhere: Notice
    foreign: Notice
    superseded: Notice
    not_needed: Notice
    spent: Notice
    unavailable: Notice
    back: Notice
    refused: Notice
    late: Notice
    to_list: str
    support: str
    logo: str


ENGLISH = Texts(
    language="en",
    application="the application",
    start=Notice("Connect your accounts", "{application} asks you to connect these accounts:"),
    start_for="They will be connected for {label}.",
    warning=(
        "Continue only if that is you and you came here from {application} yourself. Do not "
        "continue if somebody sent you this link."
    ),
    proceed="Continue",
    listing=Notice("Connect your accounts", "{done} of {total} connected."),
    connected="Connected",
    connect="Connect",
    connect_named="Connect {toolkit}",
    reconnect="Reconnect",
    reconnect_named="Reconnect {toolkit}",
    ended="The last attempt failed, or access has ended.",
    leaving=Notice("Connecting {toolkit}", "You are being taken to the page where you sign in."),
    leave="Continue to {toolkit}",
    pending=Notice(
        "Almost there", "This usually takes a few seconds. The page looks again by itself."
    ),
    look_again="Look again now",
    ready=Notice("You are all set", "Everything is connected. You can close this window."),
    failed=Notice(
        "Connected, but not ready",
        "Everything is connected, but the last step did not work. It is tried again by itself. If "
        "this stays so, please tell the people who run {application}.",
    ),
    invalid=Notice(
        "This link is not valid",
        "It may have expired. Go back to {application} and start again from there.",
    ),
    elsewhere=Notice(
        "This link was opened in another browser",
        "For your safety, it works only in the browser that opened it first. Go back to "
        "{application} and start again from there.",
    ),
    foreign=Notice(
        "This did not come from here",
        "Another website sent you here. Go back to {application} and start again from there.",
    ),
    superseded=Notice(
        "You have started again elsewhere",
        "This page belongs to an earlier start. Go on with the newer one.",
    ),
    not_needed=Notice("This account is not needed", "Go on with the accounts that are."),
    spent=Notice("Too many attempts", "Go back to {application} and start again from there."),
    unavailable=Notice(
        "This does not work just now",
        "Nothing is lost. Wait a moment, then try again.",
    ),
    back=Notice(
        "You can go back now",
        "Close this window and go back to {application}. An account that you have just connected "
        "will be there in a moment.",
    ),
    refused=Notice(
        "The account was not connected",
        "It was not this browser that started to connect it. Connect it once more from here.",
    ),
    late=Notice("That took too long", "Connect the account once more."),
    to_list="Back to your accounts",
    support="Get help",
    logo="Logo",
)
