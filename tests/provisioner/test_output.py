"""Output never controls a terminal, and any encoding, width or closed stream is supported."""

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

from handler.account_table import account_to_row, accounts_key
from handler.target_table import target_key
from handler.targets import Kind, TargetId
from provisioner import bus, context, log_lines
from provisioner.errors import Trouble
from provisioner.log_lines import Line
from provisioner.output import Screen, escaped
from tests.provisioner.command_line import COMMAND, run
from tests.provisioner.dead_letter_queue import DeadLetters
from tests.provisioner.found_stack import stack_of
from tests.provisioner.sound_facts import COMES_HERE, SOUND
from tests.world import GMAIL, World, account

HOSTILE = "u\x1b[31m\x1b]0;t\x07\x9b2J\x7f\r\n\t\u202e\u2066\u200b\u2028ser"
"""Sets colours and the title, erases the screen, overwrites its line and reverses the text."""
LONG = "x" * 300


def rows(text: str) -> Iterator[dict[str, Any]]:
    known = account(GMAIL, user=text, status=text[:64])
    yield accounts_key(text) | {f"account#{known.id}": account_to_row(known)}
    yield target_key(text, TargetId(Kind.INSTANCE, text)) | {
        "status": "failed",
        "attempts": 1,
        "claim_token": "t",
        "settled_at": 1,
        "last_error": {"message": text, "slug": text, "suggested_fix": text, "at": 1},
    }


@pytest.fixture(params=[HOSTILE], ids=["hostile"])
def hostile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands find a stack in which all foreign text is this."""
    text = request.param
    world, found = World(), list(rows(text))
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


COMMANDS = [
    ["doctor"],
    ["user", HOSTILE],
    ["list"],
    ["watch", "--times", "1"],
    ["events", "--times", "1"],
    ["logs", HOSTILE],
    ["logs", "--since", HOSTILE],
    ["retry", HOSTILE, "--target", HOSTILE],
    ["backfill", HOSTILE],
    ["import", HOSTILE],
    ["dead-letters", "show", "--body"],
    ["dead-letters", "redrive"],
    ["dead-letters", "drop", "--id", HOSTILE, "--yes"],
    ["list", "--status", HOSTILE],
    ["list", "--limit", HOSTILE],
    ["list", "--stack-name", HOSTILE],
    [HOSTILE],
    [f"--{HOSTILE}"],
]
QUESTIONS = [["forget", HOSTILE], ["dead-letters", "drop", "--all"]]


def is_harmless(output: str) -> bool:
    odd = {c for c in output if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    return odd <= {"\n"}


@pytest.mark.parametrize("command", [*COMMANDS, *QUESTIONS], ids=repr)
@pytest.mark.usefixtures("hostile")
def test_foreign_text_never_controls_the_terminal(command: list[str]) -> None:
    for flags in ([], ["--json"]):
        ended = run(*command, *flags, code=None, input="n\n")
        assert "fault of this program" not in ended.stderr
        assert ended.output
        assert is_harmless(ended.output)
        if flags and command not in QUESTIONS:
            assert all(json.loads(line) is not None for line in ended.output.splitlines())


@pytest.mark.parametrize("hostile", [LONG], indirect=True, ids=["long"])
@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
@pytest.mark.usefixtures("hostile")
def test_in_a_pipe_no_row_is_wrapped_or_cut(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some set FORCE_COLOR for their CI: it does not make a terminal of a pipe."""
    monkeypatch.delenv("COLUMNS", raising=False)
    listed = run("list", env=environment).stdout.splitlines()
    assert [LONG in line for line in listed] == [False, False, True, True, False]
    shown = run("user", LONG, env=environment).stdout
    assert f"MCP server {LONG}" in shown
    assert f"Composio says {LONG}" in shown


@pytest.mark.parametrize("hostile", [LONG], indirect=True, ids=["long"])
@pytest.mark.parametrize("columns", ["80", "1", "-5", "x", "99999999999999"])
@pytest.mark.usefixtures("hostile")
def test_any_width_is_supported(columns: str) -> None:
    for command in (["list"], ["watch", "--times", "1"], ["doctor"]):
        # Not for longer than the command takes: pytest -v itself fails at such a width.
        ended = run(*command, code=None, env={"COLUMNS": columns})
        assert "fault of this program" not in ended.stderr
        assert ended.stdout
        if columns == "80" and command[0] != "watch":
            assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
@pytest.mark.usefixtures("hostile")
def test_any_encoding_is_supported(encoding: str) -> None:
    for command in ("doctor", "list", "--help", "nonsense"):
        ended = run(command, code=None, charset=encoding)
        assert ended.output
        assert not isinstance(ended.exception, UnicodeError)
        if (command, encoding) == ("doctor", "ascii"):
            assert "\n+ secret" in ended.stdout
            assert "\nx webhook" in ended.stdout
            assert "-> provisioner --stack-name mine connect-webhook" in ended.stdout


def test_printable_text_is_not_escaped() -> None:
    for text in ("user_1", "Zoë Müller", "用户", "a\\b", "", "🙂"):
        assert escaped(text) == text
    assert escaped("\x1b\u202e\ud800\u00a0") == r"\x1b\u202e\ud800\xa0"


def exit_code(*arguments: str) -> int:
    """Run a command on the streams of this process."""
    with pytest.raises(SystemExit) as ended:
        COMMAND.main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("hostile")
def test_with_standard_output_closed_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    assert exit_code("dead-letters", "drop", "--all", "--yes") == 1
    assert "standard output is closed" in capsys.readouterr().err


@pytest.mark.usefixtures("hostile")
def test_with_the_other_streams_closed_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdin", None)

    assert exit_code("list") == 0
    assert "2 in all" in capsys.readouterr().out
    assert exit_code("dead-letters", "drop", "--all") == 1
    assert exit_code("import", "-") == 1


@pytest.mark.parametrize(
    ("text", "confirmed"),
    [("y\n", True), ("YES\n", True), ("maybe\ny\n", True), ("n\n", False), ("\n", False)],
)
def test_only_yes_confirms(text: str, confirmed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    assert Screen(as_json=False).confirmed("Sure?") is confirmed


@pytest.mark.parametrize("text", [b"", b"maybe", b"\xff\n", b"\x00\n"])
def test_an_unanswered_question_is_an_error(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    with pytest.raises(Trouble, match="nobody answers") as trouble:
        Screen(as_json=False).confirmed("Sure?")
    assert "--yes" in trouble.value.remedy


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_reader_may_stop_early(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert exit_code("watch", "--times", "3", *flags) == 1
        monkeypatch.undo()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("hostile")
def test_a_full_disk_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stdout", full)
        assert exit_code("list") == 1
        monkeypatch.undo()
    assert "No space left on device" in capsys.readouterr().err


def test_without_a_terminal_progress_is_lines_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        with Screen(as_json=as_json).progress("retrying", 25) as advance:
            for _ in range(25):
                advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:9] == [f"retrying: {done} of 25" for done in (*range(3, 25, 3), 25)]
    assert json.loads(lines[-1]) == {"progress": "retrying", "done": 25, "total": 25}
