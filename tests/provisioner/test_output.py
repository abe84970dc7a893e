"""What is printed: nothing of it commands a terminal, and no encoding, pipe or width breaks it."""

import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from handler.account_table import account_to_row, accounts_key
from handler.target_table import target_key
from handler.targets import Kind, TargetId
from provisioner import bus, context, log_lines
from provisioner.errors import Trouble
from provisioner.log_lines import Line
from provisioner.main import app
from provisioner.output import Screen, escaped
from tests.provisioner.dead_letter_queue import DeadLetters
from tests.provisioner.found_stack import stack_of
from tests.provisioner.sound_facts import COMES_HERE, SOUND
from tests.world import GMAIL, World, account

HOSTILE = "u\x1b[31m\x1b]0;t\x07\x9b2J\x7f\r\n\t\u202e\u2066\u200b\u2028ser"
"""Colours, sets the title, erases the screen, overwrites its line and reverses the text."""
LONG = "x" * 300


def rows(user: str, server: str, error: str) -> Iterator[dict[str, Any]]:
    known = account(GMAIL, user=user, status=error[:64])
    yield accounts_key(user) | {f"account#{known.id}": account_to_row(known)}
    yield target_key(user, TargetId(Kind.INSTANCE, server)) | {
        "status": "failed",
        "attempts": 1,
        "claim_token": "t",
        "settled_at": 1,
        "last_error": {"message": error, "slug": error, "suggested_fix": error, "at": 1},
    }


@pytest.fixture(params=[HOSTILE], ids=["hostile"])
def hostile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a stack in which everything that comes from elsewhere is this text."""
    text = request.param
    world, found = World(), list(rows(text, text, text))
    world.tick()
    elsewhere = COMES_HERE.model_copy(update={"webhook_url": text})
    facts = replace(SOUND, subscription=elsewhere, followers=Trouble(text, text), composio="")
    monkeypatch.setattr("provisioner.doctor.command.collect", lambda _, **__: facts)
    table = world.services.target_table.table
    others = table.partition
    monkeypatch.setattr(
        "provisioner.scan._scan",
        lambda _, some, keep: [part for row in found[bool(some) :] for part in keep(row)],
    )
    monkeypatch.setattr(
        table, "partition", lambda pk: found if pk.startswith("USER#") else others(pk)
    )
    queue = DeadLetters(json.dumps({"task": text}), text)
    stack = replace(stack_of(world, sqs=queue), name=text)
    vars(stack)["services"] = world.services
    monkeypatch.setattr(type(stack), "where", text)
    monkeypatch.setattr(context, "find", lambda _: stack)
    detail = dict.fromkeys(("status", "user_id", "server_id"), text) | {"error": {"message": text}}
    told = {"time": text, "detail": detail}
    monkeypatch.setattr(bus, "remove_leftovers", lambda _: [text])
    monkeypatch.setattr(bus, "listening", lambda _: nullcontext((text, lambda _: [told])))
    line = Line(0, text, text, {"level": text, "message": text, text: text, "reason": [text]})
    monkeypatch.setattr(log_lines, "read", lambda *_: [line])
    return world


COMMANDS = [
    ["doctor"],
    ["user", HOSTILE],
    ["list"],
    ["list", "--status", "failed"],
    ["watch", "--times", "1"],
    ["events", "--times", "1"],
    ["logs", HOSTILE],
    ["logs", "--since", HOSTILE],
    ["logs", "--level", HOSTILE],
    ["retry", HOSTILE, "--target", HOSTILE],
    ["backfill", HOSTILE],
    ["forget", HOSTILE],
    ["import", HOSTILE],
    ["dead-letters", "show", "--body"],
    ["dead-letters", "redrive"],
    ["dead-letters", "drop", "--all"],
    ["dead-letters", "drop", "--id", HOSTILE, "--yes"],
    ["list", "--status", HOSTILE],
    ["list", "--limit", HOSTILE],
    ["list", "--stack-name", HOSTILE],
    [HOSTILE],
    [f"--{HOSTILE}"],
]


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
@pytest.mark.usefixtures("hostile")
def test_nothing_that_comes_from_elsewhere_commands_the_terminal(
    command: list[str], flags: list[str]
) -> None:
    ended = CliRunner().invoke(app, [*command, *flags], input="n\n")

    assert "fault of this program" not in ended.stderr
    assert ended.output
    odd = {c for c in ended.output if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert odd <= {"\n"}
    if flags and command[0] != "forget" and "--all" not in command:
        assert all(json.loads(line) is not None for line in ended.output.splitlines())


@pytest.mark.parametrize("hostile", [LONG], indirect=True, ids=["long"])
@pytest.mark.usefixtures("hostile")
def test_in_a_pipe_no_row_is_broken_and_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    # Some set it for their CI: it is about colours, and makes no terminal of a pipe.
    for force in ({}, {"FORCE_COLOR": "1"}):
        listed = CliRunner().invoke(app, ["list"], env=force).stdout.splitlines()
        assert len(listed) == 5
        assert [LONG in line for line in listed] == [False, False, True, True, False]
        shown = CliRunner().invoke(app, ["user", LONG], env=force).stdout
        assert f"MCP server {LONG}" in shown
        assert f"Composio says {LONG}" in shown


@pytest.mark.parametrize("hostile", [LONG], indirect=True, ids=["long"])
@pytest.mark.parametrize("columns", ["80", "1", "0", "-5", "x", "99999999999999"])
@pytest.mark.usefixtures("hostile")
def test_any_width_will_do(columns: str) -> None:
    for command in (["list"], ["watch", "--times", "1"], ["doctor"], ["dead-letters", "show"]):
        # Not for longer than the command takes: pytest -v itself fails at such a width.
        ended = CliRunner().invoke(app, command, env={"COLUMNS": columns})
        assert "fault of this program" not in ended.stderr
        assert ended.stdout
        if columns == "80" and command != ["watch", "--times", "1"]:
            assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16", "utf-8"])
@pytest.mark.usefixtures("hostile")
def test_any_encoding_will_do(encoding: str) -> None:
    for command in (["doctor"], ["list"], ["--help"], ["nonsense"]):
        ended = CliRunner(charset=encoding).invoke(app, command)
        assert ended.output
        assert not isinstance(ended.exception, UnicodeError)
    if encoding == "ascii":
        doctor = CliRunner(charset=encoding).invoke(app, ["doctor"]).stdout
        assert "\n+ secret" in doctor
        assert "\nx webhook" in doctor
        assert "-> provisioner --stack-name mine connect-webhook" in doctor


def test_what_is_printable_stays_as_it_is() -> None:
    for text in ("user_1", "Zoë Müller", "用户", "a\\b", "", "🙂"):
        assert escaped(text) == text
    assert escaped("\x1b\u202e\ud800\u00a0") == r"\x1b\u202e\ud800\xa0"


def closed(monkeypatch: pytest.MonkeyPatch, *streams: str) -> None:
    for name in streams:
        monkeypatch.setattr(sys, name, None)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(arguments)
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("hostile")
def test_with_the_standard_output_closed_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(monkeypatch, "stdout")

    assert run("dead-letters", "drop", "--all", "--yes") == 1
    assert "standard output is closed" in capsys.readouterr().err


@pytest.mark.usefixtures("hostile")
def test_with_the_other_streams_closed_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(monkeypatch, "stderr", "stdin")

    assert run("list") == 0
    assert "2 in all" in capsys.readouterr().out
    assert run("dead-letters", "drop", "--all") == 1
    assert run("import", "-") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("y\n", True), ("YES\n", True), ("maybe\ny\n", True), ("n\n", False), ("\n", False)],
)
def test_only_a_yes_is_a_yes(text: str, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    assert Screen(as_json=False).confirmed("Sure?") is said


@pytest.mark.parametrize("text", [b"", b"maybe", b"\xff\n", b"\x00\n"])
def test_a_question_that_nobody_answers_is_trouble(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    with pytest.raises(Trouble, match="nobody answers") as trouble:
        Screen(as_json=False).confirmed("Sure?")
    assert "--yes" in trouble.value.remedy


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_who_reads_only_the_beginning_of_it_breaks_nothing(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert run("watch", "--times", "3", *flags) == 1
        monkeypatch.undo()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("hostile")
def test_a_full_disk_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stdout", full)
        assert run("list") == 1
        monkeypatch.undo()
    assert "No space left on device" in capsys.readouterr().err


def test_progress_is_lines_or_json_where_nothing_moves(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        with Screen(as_json=as_json).progress("retrying", 25) as advance:
            for _ in range(25):
                advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:9] == [f"retrying: {done} of 25" for done in (*range(3, 25, 3), 25)]
    assert json.loads(lines[-1]) == {"progress": "retrying", "done": 25, "total": 25}
