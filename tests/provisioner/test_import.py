"""`import`: every event of a file reaches the queue, whatever the file is and whatever ends it.

Nothing is skipped that was not sent, and nothing that was sent is counted twice.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from provisioner import context, event_file, messages
from provisioner.main import app
from tests.provisioner.found_stack import OUTPUTS, stack_of
from tests.world import World

EVENTS = 25
ENVELOPE = json.loads(json.loads(Path("events/connected.json").read_text())["body"])
LINE = json.dumps(ENVELOPE)


class Ended(BaseException):
    """The operator has ended the command."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(context, "find", lambda _: stack_of(world))
    return world


def line(number: int, **more: Any) -> str:
    return json.dumps({**ENVELOPE, "id": f"msg_{number}", **more})


def lines(first: int = 0, last: int = EVENTS) -> str:
    return "".join(f"{line(number)}\n" for number in range(first, last))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text(lines())
    return path


def run(*arguments: object, code: int = 0, **more: Any) -> Result:
    ended = CliRunner().invoke(app, ["import", *map(str, arguments)], **more)
    assert ended.exit_code == code, ended.output
    return ended


def sent(world: World) -> list[str]:
    return [message["detail"]["id"] for message in world.sqs.sent]


def ids(first: int = 0, last: int = EVENTS) -> list[str]:
    return [f"msg_{number}" for number in range(first, last)]


def interrupted(file: Path, world: World, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Run it until the queue has accepted so many, and end it there."""
    really = messages.send

    def send(stack: Any, batch: Any) -> Any:
        if len(world.sqs.sent) >= after:
            raise Ended
        return really(stack, batch)

    with monkeypatch.context() as patch:
        patch.setattr("provisioner.messages.send", send)
        with pytest.raises(Ended):
            CliRunner().invoke(app, ["import", str(file)], catch_exceptions=False)
    assert len(world.sqs.sent) == after


def test_each_event_is_sent_and_counted(world: World, file: Path) -> None:
    assert run(file).stdout == "events: 25, sent before: 0, sent now: 25\n"
    assert sent(world) == ids()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_what_can_be_read_only_once_is_sent_too(world: World, tmp_path: Path) -> None:
    assert run("-", input=lines()).stdout == "events: 25, sent before: 0, sent now: 25\n"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_text, lines(25, 30))
        assert run(pipe).stdout == "events: 5, sent before: 0, sent now: 5\n"
    assert sent(world) == ids(last=30)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_pipe_at_the_standard_input_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, lines().encode())
    os.close(write)
    with os.fdopen(read) as piped:
        monkeypatch.setattr("sys.stdin", piped)
        with event_file.opened("-") as events:
            assert (events.check(), len(list(events.events(None)))) == (25, 25)


def test_what_was_ended_midway_goes_on_after_the_last_batch(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(file, world, monkeypatch, after=20)

    assert json.loads(run(file, "--dry-run", "--json").stdout) == {
        "events": 25, "skipped": 20, "sent": 0
    }  # fmt: skip
    assert run(file).stdout == "events: 25, sent before: 20, sent now: 5\n"
    assert sent(world) == ids()


def test_a_file_that_has_grown_goes_on_too(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(file, world, monkeypatch, after=20)
    file.write_text(lines(last=30))

    assert "sent before: 20, sent now: 10" in run(file).stdout
    assert sent(world) == ids(last=30)


def test_another_file_of_the_same_name_is_sent_whole(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(file, world, monkeypatch, after=20)
    file.write_text(lines(100, 125))

    assert "sent before: 0, sent now: 25" in run(file).stdout
    assert sent(world) == ids(last=20) + ids(100, 125)


def test_what_another_queue_has_accepted_counts_for_nothing(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(OUTPUTS, "QueueUrl", "elsewhere")
        patch.setattr(world.sqs, "send_message_batch", lambda Entries, **_: {"Successful": Entries})  # noqa: N803
        patch.setattr("provisioner.event_file.EventFile.done", lambda _: None)
        run(file)
    assert "sent before: 0, sent now: 25" in run(file).stdout
    assert sent(world) == ids()


@pytest.mark.parametrize("text", ["", "4\n", "{", '{"queue": "queue"}', "\x00\xff"])
def test_a_place_that_is_not_readable_counts_for_nothing(
    text: str, world: World, file: Path
) -> None:
    file.with_name("events.jsonl.place").write_text(text)

    assert "sent before: 0, sent now: 25" in run(file).stdout
    assert sent(world) == ids()


def test_where_the_place_cannot_be_kept_it_is_said_and_all_is_sent(
    world: World, file: Path
) -> None:
    file.with_name("events.jsonl.place.new").mkdir()

    ended = run(file)

    assert "begins anew" in ended.stderr
    assert sent(world) == ids()


def test_a_batch_that_the_queue_does_not_take_is_not_passed_over(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{}]})
        assert "did not take everything" in run(file, code=1).stderr

    assert "sent before: 0, sent now: 25" in run(file).stdout


def test_blank_lines_and_a_byte_order_mark_are_no_events(world: World, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf\r\n" + lines().replace("\n", "\r\n \r\n").encode() + b"\n")

    assert run(file).stdout == "events: 25, sent before: 0, sent now: 25\n"
    assert sent(world) == ids()
    file.write_bytes(b"\xef\xbb\xbf" + LINE.encode())
    assert run(file).stdout == "events: 1, sent before: 0, sent now: 1\n"


def test_large_events_go_in_batches_that_sqs_takes(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    really = world.sqs.send_message_batch

    def send_message_batch(*, QueueUrl: str, Entries: Any) -> Any:  # noqa: N803
        sizes.append(sum(len(entry["MessageBody"].encode()) for entry in Entries))
        return really(QueueUrl=QueueUrl, Entries=Entries)

    monkeypatch.setattr(world.sqs, "send_message_batch", send_message_batch)
    file.write_text("".join(f"{line(n, padding='x' * 200_000)}\n" for n in range(10)))

    assert "sent now: 10" in run(file).stdout
    assert sent(world) == ids(last=10)
    assert max(sizes) <= messages.MOST_BYTES


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"no json", "line 2: not JSON"),
        (b"[]", "line 2: the body is not a JSON object"),
        (b'{"type": "composio.trigger.message", "data": {}}', "line 2: the event is not about"),
        (b'{"type": "composio.connected_account.x", "data": {}}', "line 2: data.id"),
        (b'{"user_1": "\xff"}', "line 2: not UTF-8"),
        (b"[" * 90_000, "line 2: not JSON"),
        (line(1, padding="x" * 262_144).encode(), "line 2: larger than 262144 bytes"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 2: not JSON"),
    ],
)
def test_a_file_with_a_bad_line_is_refused_whole_and_says_which(
    bad: bytes, why: str, world: World, file: Path
) -> None:
    good = LINE.encode()
    file.write_bytes(b"\n".join([good, bad, good]))

    said = run(file, code=1).stderr
    assert f"1 of 3 lines cannot be sent: {why}" in said
    assert "user_1" not in said
    assert world.sqs.sent == []


@pytest.mark.parametrize("content", [b"x" * (1 << 21), LINE.encode("utf-16"), b"\0" * (1 << 21)])
def test_what_is_no_text_file_is_refused(content: bytes, world: World, file: Path) -> None:
    file.write_bytes(content)

    run(file, code=1)
    assert world.sqs.sent == []


def test_a_file_that_changes_while_it_is_sent_is_trouble(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = world.sqs.send_message_batch

    def send_message_batch(**request: Any) -> Any:
        file.write_text(lines(last=10) + "{\n" * EVENTS)
        return really(**request)

    monkeypatch.setattr(world.sqs, "send_message_batch", send_message_batch)
    monkeypatch.setattr("handler.queue.BATCH", 10)

    assert "was changed while it was sent" in run(file, code=1).stderr


def test_what_cannot_be_read_is_trouble(world: World, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in run(tmp_path / "none", code=1).stderr
    assert "cannot be read: Is a directory" in run(tmp_path, code=1).stderr
    assert run("-").stdout == "events: 0, sent before: 0, sent now: 0\n"
    assert world.sqs.sent == []
