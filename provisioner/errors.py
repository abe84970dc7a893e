"""What an operator is told instead of a traceback: what went wrong, and what to do about it."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is no OSError
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from handler.credentials import SecretUnusable
from handler.targets import Problem
from handler.transport import Unavailable

TRACEBACK = "PROVISIONER_TRACEBACK"
"""The environment variable with which an unexpected error prints its traceback."""

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_WRONG_KEY = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)
_LOG_IN = "log in again (aws sso login), or say --profile, or set AWS_ACCESS_KEY_ID"


class Trouble(Exception):
    """A command cannot go on; `remedy` is what the operator can do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


EXPECTED = (Trouble, BotoCoreError, ClientError, Unavailable, SecretUnusable, OSError)
"""What is not a fault of this program."""


def explained(error: Exception) -> Trouble:
    """Return an error as trouble.

    An error that is not in `EXPECTED` is not quoted: it could say anything.
    """
    match error:
        case Trouble():
            return error
        case ClientError():
            return _of_aws(error)
        case BotoCoreError():
            return _before_aws(error)
        case Unavailable():
            return _of_composio(error.problem)
        case SecretUnusable():
            return Trouble(str(error), "provisioner doctor says what is wrong with it")
        case OSError():
            return _of_this_machine(error)
        case _:
            return Trouble(
                f"{type(error).__name__}, which is a fault of this program",
                f"report it, with what {TRACEBACK}=1 prints",
            )


def _before_aws(error: BotoCoreError) -> Trouble:
    if isinstance(error, _NO_CREDENTIALS):
        return Trouble("there are no usable AWS credentials", _LOG_IN)
    if isinstance(error, NoRegionError):
        return Trouble("no AWS region is set", "say --region, or set AWS_REGION")
    if isinstance(error, ProfileNotFound):
        return Trouble(str(error), "say --profile with one that `aws configure list-profiles` has")
    if isinstance(error, ConnectionError | HTTPClientError):
        return Trouble(
            f"AWS does not answer: {type(error).__name__}",
            "check the network, the region and the proxy; for a local stack: make serve",
        )
    return Trouble(str(error), "check the AWS configuration")


def _of_this_machine(error: OSError) -> Trouble:
    where = f": {error.filename}" if error.filename else ""
    return Trouble(
        f"{error.strerror or type(error).__name__}{where}",
        "correct it, or the option or environment variable that names it",
    )


def _of_aws(error: ClientError) -> Trouble:
    code = error.response["Error"]["Code"]
    message = error.response["Error"].get("Message") or code
    if code in _EXPIRED:
        return Trouble("the AWS credentials have expired", _LOG_IN)
    if code in _WRONG_KEY:
        return Trouble("AWS does not know these credentials", _LOG_IN)
    if code.startswith("AccessDenied") or code == "AuthorizationError":
        return Trouble(
            f"no permission for {error.operation_name}: {message}",
            "ask for it, or use another profile (docs/provisioner.md lists the permissions)",
        )
    return Trouble(f"{error.operation_name}: {message}", f"AWS calls it {code}")


def _of_composio(problem: Problem) -> Trouble:
    if problem.status == 401:
        return Trouble("Composio rejects the API key", "provisioner init takes another one")
    said = f"Composio: {problem.message}"
    if problem.status == 403:
        return Trouble(said, "give the API key this permission; webhooks need `webhooks`")
    return Trouble(said, problem.suggested_fix or "try again; https://status.composio.dev")
