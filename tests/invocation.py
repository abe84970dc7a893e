"""The context of a Lambda invocation."""

from dataclasses import dataclass


@dataclass
class Context:
    """The context that Lambda passes to the handler."""

    function_name: str = "webhook"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:webhook"
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 25_000
