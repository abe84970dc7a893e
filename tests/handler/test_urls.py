"""URLs are checked and built."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.urls import endpoint, mcp_url, web_address, web_address_or_empty, with_query


def test_web_address_must_be_https_and_is_not_repeated_in_the_error() -> None:
    """Further URLs: tests/template/test_patterns.py."""
    assert web_address("https://a.invalid:8443/b?c=d") == "https://a.invalid:8443/b?c=d"
    with pytest.raises(ValueError, match="must be https") as caught:
        web_address("http://a.invalid")
    assert "a.invalid" not in str(caught.value)
    assert web_address_or_empty("http://a.invalid") == ""


@pytest.mark.parametrize("url", [None, 7, ["https://a.invalid"], "https://a.invalid/" + "a" * 2048])
def test_url_from_elsewhere_may_be_anything(url: object) -> None:
    assert web_address_or_empty(url) == ""


def test_parameters_are_appended_to_existing_ones() -> None:
    assert with_query("https://a.invalid/b", {"c": "d e"}) == "https://a.invalid/b?c=d%20e"
    assert with_query("https://a.invalid/?x=1", {"c": "&"}) == "https://a.invalid/?x=1&c=%26"
    assert with_query("https://a.invalid/?x=1", {}) == "https://a.invalid/?x=1"


def test_endpoint_is_the_url_of_the_server_with_the_user_id() -> None:
    assert endpoint("https://mcp.invalid/v3/mcp/srv_1", "a b/c?&=é") == {
        "url": "https://mcp.invalid/v3/mcp/srv_1?user_id=a%20b%2Fc%3F%26%3D%C3%A9",
        "transport": "streamable_http",
        "header": "x-api-key",
    }


def test_endpoint_keeps_the_parameters_of_the_server_and_replaces_the_user() -> None:
    told = "https://mcp.invalid/s?transport=mcp&user_id=somebody&connected_account_id=ca_1"
    assert endpoint(told, "ada")["url"] == "https://mcp.invalid/s?transport=mcp&user_id=ada"


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_any_user_id_can_be_read_back_from_the_endpoint(user_id: str) -> None:
    url = endpoint("https://mcp.invalid/s?a=b", user_id)["url"]
    assert parse_qs(urlsplit(url).query)["user_id"] == [user_id]
    assert web_address(url) == url


def test_default_mcp_url_is_the_documented_one() -> None:
    assert mcp_url("https://c.invalid", "a/b") == "https://c.invalid/v3/mcp/a%2Fb"
