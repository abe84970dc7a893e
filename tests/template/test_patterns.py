"""The template accepts exactly the values of parameters with which the functions start."""

import re

import pytest

from handler.settings import SERVER_IDS, Settings, SettingsError
from handler.urls import BASE_URL, WEB_ADDRESS
from tests.template.sam_template import TEMPLATE

ENVIRONMENT = {
    "TABLE_NAME": "provisioner",
    "QUEUE_URL": "https://sqs.invalid/queue",
    "BUS_NAME": "bus",
    "SECRET_ID": "secret",
    "COMPOSIO_BASE_URL": "https://backend.composio.dev",
    "MCP_SERVER_IDS": "*",
}
PARAMETERS = {
    "ComposioBaseUrl": ("COMPOSIO_BASE_URL", f"({BASE_URL})"),
    "ReturnUrl": ("RETURN_URL", f"({WEB_ADDRESS})?"),
    "PublicUrl": ("PUBLIC_URL", f"({BASE_URL})?"),
    "BrandLogoUrl": ("BRAND_LOGO_URL", f"({WEB_ADDRESS})?"),
    "SupportUrl": ("SUPPORT_URL", f"({WEB_ADDRESS})?"),
    "McpServerIds": ("MCP_SERVER_IDS", f"({SERVER_IDS})"),
}
GOOD_URLS = (
    "https://app.example",
    "https://app.example/",
    "https://app.example/done/a%2Fb;c=1,~",
    "https://app.example:8443/done",
    "https://app.example:65535",
    "https://xn--bcher-kva.example",
    "https://192.0.2.7/x",
    "http://localhost",
    "http://localhost:3000/done",
    "http://127.0.0.1:9900",
    "http://[::1]:9900/x",
)
HOSTILE_URLS = (
    " ",
    "https://",
    "https:///path",
    "https://:443",
    "https://.example",
    "https://app..example",
    "https://app.example.",
    "https://app.example ",
    " https://app.example",
    "https://app.example\n",
    "https://app.example/\r\nset-cookie: a=b",
    "https://app.example/a b",
    "https://app.example/\u00fc",
    "https://\u00fc.example/",
    "https://app.example/#x",
    "https://ada@app.example/",
    "https://ada:invented@app.example/",
    "https://app.example/@x",
    "https://app.example\\@evil.example",
    "https://app.example/\\evil.example",
    'https://app.example/"x',
    "https://app.example/<x>",
    "https://app.example:",
    "https://app.example:0",
    "https://app.example:65536",
    "https://app.example:port",
    "https://[::1",
    "https://[::1]x",
    "HTTPS://app.example",
    "http://app.example",
    "http://localhost.example/done",
    "http://localhost@app.example/done",
    "http://127.0.0.2",
    "http://127.0.0.1.example",
    "http://0.0.0.0",
    "http://[::2]",
    "ftp://localhost",
    "//app.example",
    "app.example",
    "javascript:alert(1)",
    "data:text/html,x",
)
WITH_QUERY = ("https://app.example/done?tab=mcp", "https://app.example?a=b&c=d", "http://[::1]?a")
IDS = ("", "*", "srv_1", "srv_1,srv-2", "a" * 128)
NO_IDS = (
    *(" ", ",", "srv_1,", ",srv_1", "srv_1,,srv_2", "srv_1, srv_2", "srv_1\n"),
    *("*,srv_1", "srv_1,*", "**", "srv/1", "srv_\u00e9", "a" * 129),
)
CASES = [
    *[("ComposioBaseUrl", url, True) for url in GOOD_URLS],
    *[("ComposioBaseUrl", url, False) for url in ("", *HOSTILE_URLS, *WITH_QUERY)],
    *[("ReturnUrl", url, True) for url in ("", *GOOD_URLS, *WITH_QUERY)],
    *[("ReturnUrl", url, False) for url in HOSTILE_URLS],
    *[("PublicUrl", url, True) for url in ("", GOOD_URLS[0])],
    *[("PublicUrl", url, False) for url in (*HOSTILE_URLS[-3:], *WITH_QUERY)],
    *[(one, url, True) for one in ("BrandLogoUrl", "SupportUrl") for url in ("", *WITH_QUERY)],
    *[(one, url, False) for one in ("BrandLogoUrl", "SupportUrl") for url in HOSTILE_URLS[-3:]],
    *[("McpServerIds", ids, True) for ids in IDS],
    *[("McpServerIds", ids, False) for ids in NO_IDS],
]
"""Parameters with the same rule need no more than a few of the values."""


@pytest.mark.parametrize(("parameter", "value", "allowed"), CASES)
def test_template_and_settings_accept_the_same(parameter: str, value: str, allowed: bool) -> None:
    name, _ = PARAMETERS[parameter]
    deploys = re.fullmatch(TEMPLATE["Parameters"][parameter]["AllowedPattern"], value) is not None
    refusal = ""
    try:
        Settings.from_environment(ENVIRONMENT | {name: value})
    except SettingsError as error:
        refusal = str(error)

    assert deploys == (not refusal) == allowed
    assert allowed or refusal.startswith(f"{name}: ")
    assert allowed or len(value) < 4 or value not in refusal


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_the_pattern_is_that_of_the_settings_and_is_described(parameter: str) -> None:
    found = TEMPLATE["Parameters"][parameter]

    assert found["AllowedPattern"] == f"^{PARAMETERS[parameter][1]}$"
    assert len(found["ConstraintDescription"]) > 20
