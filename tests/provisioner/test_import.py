"""`provisioner import` sends every event of a file once, also after an interruption."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from provisioner import event_file, messages
from tests.provisioner import command_line
from tests.provisioner.found_stack import OUTPUTS
from tests.world import World

EVENTS = 25
ENVELOPE = json.loads(json.loads(Path("events/connected.json").read_text())["body"])
LINE = json.dumps(ENVELOPE)


class Interrupted(BaseException):
    """The operator has interrupted the command."""


def line(number: int, **more: Any) -> str:
    return json.dumps({**ENVELOPE, "id": f"msg_{number}", **more})


def lines(first: int = 0, last: int = EVENTS) -> str:
    return "".join(f"{line(number)}\n" for number in range(first, last))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text(lines())
    return path


def run(*arguments: object, **more: Any) -> Result:
    return command_line.run("import", *arguments, **more)


def sent(world: World) -> list[str]:
    return [message["detail"]["id"] for message in world.sqs.sent]


def ids(first: int = 0, last: int = EVENTS) -> list[str]:
    return [f"msg_{number}" for number in range(first, last)]


@contextmanager
def before_each_batch(act: Any) -> Iterator[None]:
    """Call `act` before each batch is sent."""
    send = messages.send

    def act_and_send(stack: Any, batch: Any) -> Any:
        act(batch)
        return send(stack, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioner.messages.send", act_and_send)
        yield


def interrupt_after_20(file: Path, world: World) -> None:
    def interrupt(_: object) -> None:
        if len(world.sqs.sent) >= 20:
            raise Interrupted

    with before_each_batch(interrupt), pytest.raises(Interrupted):
        run(file)
    assert len(world.sqs.sent) == 20


def test_each_event_is_sent_and_counted(world: World, file: Path) -> None:
    assert run(file).stdout == "events: 25, sent before: 0, sent now: 25\n"
    assert sent(world) == ids()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_standard_input_and_pipes_are_sent_too(world: World, tmp_path: Path) -> None:
    assert run("-", input=lines()).stdout == "events: 25, sent before: 0, sent now: 25\n"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_text, lines(25, 30))
        assert run(pipe).stdout == "events: 5, sent before: 0, sent now: 5\n"
    assert sent(world) == ids(last=30)
    assert list(tmp_path.iterdir()) == [pipe]
    assert run("-").stdout == "events: 0, sent before: 0, sent now: 0\n"


def test_a_pipe_at_the_standard_input_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, lines().encode())
    os.close(write)
    with os.fdopen(read) as piped:
        monkeypatch.setattr("sys.stdin", piped)
        with event_file.opened("-") as events:
            assert (events.check(), len(list(events.events("queue", 0)))) == (25, 25)


def test_an_interrupted_import_continues_also_if_the_file_has_grown(
    world: World, file: Path
) -> None:
    interrupt_after_20(file, world)

    dry = json.loads(run(file, "--dry-run", "--json").stdout)
    assert dry == {"events": 25, "skipped": 20, "sent": 0}
    file.write_text(lines(last=30))
    assert run(file).stdout == "events: 30, sent before: 20, sent now: 10\n"
    assert sent(world) == ids(last=30)


def test_another_file_of_the_same_name_is_sent_whole(world: World, file: Path) -> None:
    interrupt_after_20(file, world)
    file.write_text(lines(100, 125))

    assert "sent before: 0, sent now: 25" in run(file).stdout
    assert sent(world) == ids(last=20) + ids(100, 125)


def test_progress_with_another_queue_does_not_count(
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
def test_an_unreadable_progress_file_does_not_count(text: str, world: World, file: Path) -> None:
    file.with_name("events.jsonl.place").write_text(text)

    assert "sent before: 0, sent now: 25" in run(file).stdout
    assert sent(world) == ids()


def test_without_a_progress_file_everything_is_sent_with_a_warning(
    world: World, file: Path
) -> None:
    file.with_name("events.jsonl.place.new").mkdir()

    assert "begins anew" in run(file).stderr
    assert sent(world) == ids()


def test_a_batch_that_the_queue_refuses_is_sent_again(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.sqs, "send_message_batch", lambda **_: {"Failed": [{}]})
        assert "did not take everything" in run(file, code=1).stderr

    assert "sent before: 0, sent now: 25" in run(file).stdout


def test_blank_lines_and_a_byte_order_mark_are_ignored(world: World, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf\r\n" + lines().replace("\n", "\r\n \r\n").encode() + b"\n")

    assert run(file).stdout == "events: 25, sent before: 0, sent now: 25\n"
    assert sent(world) == ids()
    file.write_bytes(b"\xef\xbb\xbf" + LINE.encode())
    assert run(file).stdout == "events: 1, sent before: 0, sent now: 1\n"


def test_large_events_are_sent_in_small_batches(world: World, file: Path) -> None:
    sizes: list[int] = []
    file.write_text("".join(f"{line(n, padding='x' * 200_000)}\n" for n in range(3)))

    with before_each_batch(lambda batch: sizes.append(sum(len(body) for _, body in batch))):
        assert "sent now: 3" in run(file).stdout
    assert sent(world) == ids(last=3)
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
def test_a_file_with_a_bad_line_is_refused_whole_with_its_number(
    bad: bytes, why: str, world: World, file: Path
) -> None:
    good = LINE.encode()
    file.write_bytes(b"\n".join([good, bad, good]))

    message = run(file, code=1).stderr
    assert f"1 of 3 lines cannot be sent: {why}" in message
    assert "user_1" not in message
    assert world.sqs.sent == []


@pytest.mark.parametrize("content", [LINE.encode("utf-16"), b"\0" * (1 << 20)])
def test_a_file_that_is_not_text_is_refused(content: bytes, world: World, file: Path) -> None:
    file.write_bytes(content)

    run(file, code=1)
    assert world.sqs.sent == []


@pytest.mark.usefixtures("world")
def test_a_file_that_changes_while_it_is_sent_is_an_error(file: Path) -> None:
    with before_each_batch(lambda _: file.write_text(lines(last=10) + "{\n" * EVENTS)):
        assert "was changed while it was sent" in run(file, code=1).stderr


def test_a_path_that_cannot_be_read_is_an_error(world: World, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in run(tmp_path / "none", code=1).stderr
    assert "cannot be read: Is a directory" in run(tmp_path, code=1).stderr
    assert world.sqs.sent == []
