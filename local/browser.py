"""The way through a browser: Composio sends it back to the callback, whose page says how far it is.

A user's steps for the story; the tests take the same way in a real browser.
"""

import re
from html import unescape

import httpx

from local.scene import Scene


def connect(scene: Scene, user_id: str, auth_config_id: str) -> None:
    """The user connects an account, and comes back to the callback of the deployed stack."""
    scene.timeline.say("app", f"asks for a link that comes back: {user_id}, {auth_config_id}")
    link = scene.make_link(user_id, auth_config_id, scene.stack.callback_url)
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as browser:
        browser.get(link.url).raise_for_status()
        page = browser.post(link.url, data={"decision": "allow"}).raise_for_status()
    scene.timeline.say("browser", f"allows it, is sent back to {page.url.path.split('live')[-1]}")
    text = said(page.text)
    scene.timeline.say("page", text, "green" if text.startswith("You are all set") else "")


def said(page: str) -> str:
    """Return what one reads on the page."""
    title, *rows = re.findall(r"<h1>(.*?)</h1>|<li\b.*?<span>(.*?)</span><span>(.*?)</span>", page)
    listed = ", ".join(f"{name} {state.lower()}" for _, name, state in rows)
    return unescape(f"{title[0]}: {listed}" if listed else title[0])
