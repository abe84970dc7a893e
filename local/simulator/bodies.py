"""How request bodies are read. What each endpoint takes stands beside its route."""

import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from local.simulator.refusal import invalid

type Text = Annotated[str, StringConstraints(min_length=1)]


class Body(BaseModel):
    """A JSON object; fields that are not known are ignored, as most APIs do."""

    model_config = ConfigDict(extra="ignore", strict=True)

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Parse a request body. Raises `Refused`: 400 with code 1803 and one error per field."""
        try:
            return cls.model_validate_json(raw or b"{}")
        except ValidationError as error:
            raise invalid("Invalid request data provided", *problems(error)) from error

    def changes(self) -> dict[str, Any]:
        """Return the fields that are given."""
        return self.model_dump(exclude_none=True)


class Command(Body):
    """The body of a control route. A field that does not exist is an error."""

    model_config = ConfigDict(extra="forbid", strict=False)


def problems(error: ValidationError) -> list[str]:
    """List what is wrong, one line per field, without repeating the input."""
    return [
        f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False)
    ]


def user_of(raw: bytes) -> str | None:
    """Read `user_id` out of a body that may be anything."""
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    user_id = body.get("user_id") if isinstance(body, dict) else None
    return user_id if isinstance(user_id, str) else None
