"""What of a problem may be logged."""

from hypothesis import given
from hypothesis import strategies as st

from handler.targets import Problem

NAMING = Problem(
    "No account of ada@example.invalid",
    status=403,
    slug="Mcp_Forbidden",
    suggested_fix="Ask ada@example.invalid",
    request_id="req_1",
    enveloped=True,
)


def test_composios_message_is_not_logged() -> None:
    assert NAMING.loggable() == {"status": 403, "slug": "Mcp_Forbidden", "request_id": "req_1"}


def test_our_own_message_is_logged() -> None:
    assert Problem("no answer: ReadTimeout").loggable() == {"message": "no answer: ReadTimeout"}


@given(st.text(max_size=20), st.text(max_size=20))
def test_slug_or_request_id_that_is_no_token_is_not_logged(slug: str, request_id: str) -> None:
    loggable = NAMING._replace(slug=f"a {slug}", request_id=f"\n{request_id}").loggable()

    assert loggable == {"status": 403}
