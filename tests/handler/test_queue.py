"""Every message is sent, or the sender gets an error."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_sqs import SQSClient

from handler.queue import BATCH, MOST_BYTES, Queue


class Sqs:
    """SQS that refuses some messages, by number, as often as it is told."""

    def __init__(self) -> None:
        self.refuses: dict[int, int] = {}
        self.calls: list[list[int]] = []
        self.sizes: list[int] = []
        self.taken: list[int] = []
        self.delays: list[int] = []

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        assert 1 <= len(entries) <= BATCH
        assert len({entry["Id"] for entry in entries}) == len(entries)
        numbers = {entry["Id"]: json.loads(entry["MessageBody"])["number"] for entry in entries}
        self.calls.append(list(numbers.values()))
        self.delays += [entry["DelaySeconds"] for entry in entries]
        self.sizes.append(sum(len(entry["MessageBody"].encode()) for entry in entries))
        failed = []
        for name, number in numbers.items():
            if self.refuses.get(number, 0):
                self.refuses[number] -= 1
                failed.append({"Id": name, "Code": "InternalError", "SenderFault": False})
            else:
                self.taken.append(number)
        return {"Successful": [], "Failed": failed} if failed else {"Successful": []}


@pytest.fixture
def sqs() -> Sqs:
    return Sqs()


@pytest.fixture
def queue(sqs: Sqs) -> Queue:
    return Queue(cast("SQSClient", sqs), "queue")


def tasks(number: int, text: str = "") -> list[dict[str, Any]]:
    return [{"number": one, "text": text} for one in range(number)]


def test_messages_are_sent_in_batches(queue: Queue, sqs: Sqs) -> None:
    queue.send([])
    queue.send(tasks(25))

    assert [len(call) for call in sqs.calls] == [10, 10, 5]
    assert sqs.taken == list(range(25))


def test_refused_message_is_sent_once_more(queue: Queue, sqs: Sqs) -> None:
    sqs.refuses = {3: 1, 5: 1, 11: 1}

    queue.send(tasks(12))

    assert sqs.calls[1] == [3, 5]
    assert sorted(sqs.taken) == list(range(12))


def test_message_refused_twice_raises_after_all_the_others_were_sent(
    queue: Queue, sqs: Sqs
) -> None:
    sqs.refuses = {3: 2}

    with pytest.raises(ClientError, match=r"InternalError.*1 not sent"):
        queue.send(tasks(12))

    assert sorted({*range(12)} - {*sqs.taken}) == [3]


def test_batch_is_no_larger_than_the_queue_takes(queue: Queue, sqs: Sqs) -> None:
    queue.send(tasks(10, "é" * 30_000))

    assert sqs.taken == list(range(10))
    assert max(sqs.sizes) <= MOST_BYTES
    assert len(sqs.calls) == 10  # written as \\u00e9 each is six bytes


def test_message_larger_than_a_batch_is_sent_alone(queue: Queue, sqs: Sqs) -> None:
    queue.send([*tasks(2), {"number": 2, "text": "x" * MOST_BYTES}, {"number": 3}])

    assert sqs.calls == [[0, 1], [2], [3]]


def test_task_is_sent_once_for_each_delay_and_once_more_if_refused(queue: Queue, sqs: Sqs) -> None:
    sqs.refuses = {0: 1}

    queue.send(tasks(1), delays=(20, 40, 80))

    assert sqs.taken == [0, 0, 0]
    assert sqs.delays == [20, 40, 80, 20]
