"""The clients of one execution environment: every call goes through its `call`."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.exploration.state import Message
from tests.fakes.requests import service_error

if TYPE_CHECKING:
    from tests.exploration.environment import Environment

UNANSWERED_SECONDS = 3
"""What a call of boto3 takes that gets no answer."""


def throttled(operation: str) -> ClientError:
    return service_error(operation, "ThrottlingException", "Rate exceeded")


def unanswered() -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url="https://aws.invalid")


class Client:
    """What boto3's clients have in common here."""

    def __init__(self, environment: "Environment") -> None:
        self._at = environment

    def _call[T](self, kind: str, name: str, effect: Callable[[], T], **special: Any) -> T:
        def lost() -> Exception:
            self._at.state.now += UNANSWERED_SECONDS
            return unanswered()

        refused = partial(throttled, name)
        made: T = self._at.call(kind, name, effect, refused=refused, lost=lost, **special)
        return made


class DynamoDB(Client):
    """The table; every change is checked_promises."""

    @property
    def exceptions(self) -> Any:
        return self._at.system.db.exceptions

    def query(self, **request: Any) -> Any:
        """Query."""
        name = request.get("IndexName") or next(iter(_values(request)))
        return self._call("dynamodb read", f"query {name}", partial(self._run, "query", request))

    def update_item(self, **request: Any) -> Any:
        """UpdateItem."""
        method, key = "update_item", request["Key"]
        name = f"{request['UpdateExpression'][:24]} of {key['sk']['S']}"

        def twice() -> Any:
            with suppress(ClientError):
                self._run(method, request)
            return self._run(method, request)

        def late() -> None:
            self._at.state.late_writes += ((method, request),)

        effect = partial(self._run, method, request)
        return self._call("dynamodb write", name, effect, twice=twice, late=late)

    def _run(self, method: str, request: Any) -> Any:
        return self._at.system.write(method, request)


def _values(request: Any) -> list[str]:
    return [next(iter(one.values())) for one in request["ExpressionAttributeValues"].values()]


class Sqs(Client):
    """The queue."""

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803
        """SendMessageBatch."""
        state = self._at.state
        bodies = [entry["MessageBody"] for entry in Entries]

        def send() -> Any:
            state.messages += tuple(
                Message(f"message-{state.number()}", body, state.now) for body in bodies
            )
            return {"Successful": Entries}

        def ignored() -> Any:
            return {"Failed": Entries}

        def twice() -> Any:
            send()
            return send()

        name = f"send to {QueueUrl} {' '.join(bodies)}"
        return self._call("sqs send", name, send, twice=twice, ignored=ignored)

    def get_queue_attributes(self, **_: Any) -> Any:
        """GetQueueAttributes."""
        number = str(len(self._at.state.messages))
        answer = {"Attributes": {"ApproximateNumberOfMessages": number}}
        return self._call("sqs read", "depth of the queue", lambda: answer)

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> Any:
        """ChangeMessageVisibility."""
        state = self._at.state

        def postpone() -> None:
            at = state.now + VisibilityTimeout
            state.messages = tuple(
                one._replace(visible_at=at) if one.id == ReceiptHandle else one
                for one in state.messages
            )

        self._call("sqs write", f"postpone in {QueueUrl} {ReceiptHandle}", postpone)


class SecretsManager(Client):
    """One secret."""

    def get_secret_value(self, **_: Any) -> Any:
        """GetSecretValue."""
        answer = {"SecretString": json.dumps(self._at.system.secret)}
        return self._call("secret", "GetSecretValue", lambda: answer)
