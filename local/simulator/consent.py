"""The hosted consent page: what a user sees between the link and the callback."""

from html import escape
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.simulator.call import Call
from local.simulator.refusal import Refused, invalid

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Composio simulator</title>
<link rel="icon" href="data:,">
<style>
body {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto;
  padding: 0 1rem }}
button {{ font: inherit; padding: .5rem 1.5rem; margin-right: .75rem; cursor: pointer }}
code {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
_QUESTION = """<p>May Composio (this is the simulator) use <strong>{toolkit}</strong>
for the user <code>{user}</code>?</p>
<form method="post">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form>"""


async def ask(request: Request) -> Response:
    """GET /link/{token}: the question; opening it makes the account INITIATED."""
    call = Call(request)
    project, token = call.project, call.path("token")
    try:
        account = project.connections.open(token)
    except Refused as refused:
        return _refusal(refused)
    toolkit = project.connections.auth_config(account.auth_config_id).toolkit
    content = _QUESTION.format(toolkit=escape(toolkit), user=escape(account.user_id))
    return _page(f"Connect {toolkit}", content)


async def answer(request: Request) -> Response:
    """POST /link/{token}, form field `decision` allow or deny: settles the account."""
    call = Call(request, await request.body())
    project = call.project
    decision = parse_qs(call.body.decode("latin-1")).get("decision", [""])[0]
    verifier = project.options.verifier_url
    try:
        if decision not in {"allow", "deny"}:
            raise invalid("Please choose Allow or Deny")
        if decision == "allow" and verifier:
            session_uri = project.connections.consent(call.path("token"))
            return RedirectResponse(_with(verifier, session_uri=session_uri), 303)
        link, account = project.connections.decide(call.path("token"), allowed=decision == "allow")
    except Refused as refused:
        return _refusal(refused)
    project.announce(account)
    status = "success" if decision == "allow" else "failed"
    if link.callback_url is not None:
        outcome = {"status": status, "connected_account_id": account.id}
        outcome |= {"error": "access_denied"} if status == "failed" else {}
        return RedirectResponse(_with(link.callback_url, **outcome), 303)
    title = "Connected" if decision == "allow" else "Not connected"
    return _page(title, "<p>Done. You can close this page.</p>")


ROUTES = [
    Route("/link/{token}", ask, methods=["GET"]),
    Route("/link/{token}", answer, methods=["POST"]),
]


def _with(url: str, **parameters: str) -> str:
    """Append query parameters to a URL; its own stay (guide, Authenticating)."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _page(title: str, content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        _PAGE.format(title=escape(title), content=content),
        status,
        {"cache-control": "no-store", "referrer-policy": "no-referrer"},
    )


def _refusal(refused: Refused) -> HTMLResponse:
    return _page("This does not work", f"<p>{escape(refused.message)}.</p>", refused.status)
