"""Controls a running simulator, for tests and the demo."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

type Json = dict[str, Any]

_POLL = 0.01


class Simulator:
    """A simulator at `url`, reached over `/_control`.

    Every method raises `httpx.HTTPStatusError` when the simulator refuses, with its reasons
    in the response's body.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def state(self) -> Json:
        """Return the settings, and all that is there."""
        return self._call("GET", "state")

    def reset(self) -> None:
        """Go back to what the command line asked for."""
        self._call("POST", "reset")

    def set_api_keys(self, *keys: str) -> None:
        """Make these the only valid keys."""
        self._call("PUT", "api_keys", {"keys": keys})

    def set_webhook(self, target: str | None, *secrets: str) -> None:
        """Send all events to `target`, signed with every one of `secrets`."""
        self._call("PUT", "webhook", {"target": target, "secrets": secrets})

    def set_options(self, **options: float | str | None) -> Json:
        """Change options by name (see `Options`) and return all of them."""
        return self._call("PATCH", "options", options)

    def disable_auth_config(self, auth_config_id: str, *, disabled: bool = True) -> None:
        """Disable or enable an auth config."""
        self._call("PATCH", f"auth_configs/{auth_config_id}", {"is_disabled": disabled})

    def add_account(
        self, user_id: str, auth_config_id: str, *, webhook: bool = False, **more: str | bool | None
    ) -> str:
        """Add an account, ACTIVE unless another status is given, and return its id.

        `more` is status, id, is_disabled, account_type, created_at, updated_at.
        """
        account = {"user_id": user_id, "auth_config_id": auth_config_id, **more}
        return str(self.add_accounts([account], webhook=webhook)["ids"][0])

    def add_accounts(self, accounts: Iterable[Json], *, webhook: bool = False) -> Json:
        """Add many accounts in one call; returns `{"ids": [...], "webhook_ids": [...]}`."""
        return self._call("POST", "accounts", {"accounts": list(accounts), "webhook": webhook})

    def change_account(
        self, account_id: str, *, webhook: bool = True, **more: str | bool | None
    ) -> Json:
        """Change status or is_disabled; without either only `updated_at` moves."""
        return self._call("PATCH", f"accounts/{account_id}", {"webhook": webhook, **more})

    def add_instances(self, server_id: str, user_ids: Sequence[str]) -> None:
        """Give these users an instance without any check."""
        self._call("POST", "instances", {"server_id": server_id, "user_ids": user_ids})

    def add_fault(self, **fault: Any) -> None:
        """Add a fault (see `Fault`)."""
        self._call("POST", "faults", fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "faults")

    def ledger(
        self, *, method: str = "*", path: str = "*", user_id: str | None = None
    ) -> list[Json]:
        """List the API calls whose method and path match the shell patterns."""
        return list(self._ledger(method, path, user_id)["entries"])

    def instance_posts(self, user_id: str | None = None) -> list[Json]:
        """Summarise the create calls: posts, created, statuses, max_in_flight per user."""
        return list(self._ledger("POST", "*/instances", user_id)["instance_posts"])

    def session_posts(self, user_id: str | None = None) -> list[Json]:
        """Summarise the calls that create sessions, as `instance_posts` does."""
        return list(self._ledger("POST", "*/tool_router/session", user_id)["session_posts"])

    def clear_ledger(self) -> None:
        """Forget all calls."""
        self._call("DELETE", "ledger")

    def deliveries(self) -> list[Json]:
        """List the delivery attempts, in the order in which they ended."""
        return list(self._call("GET", "deliveries")["attempts"])

    def redeliver(self, webhook_id: str) -> None:
        """Deliver an earlier event once more."""
        self._call("POST", f"deliveries/{webhook_id}")

    def wait_for_deliveries(self, timeout: float = 10) -> list[Json]:
        """Return the attempts once no event is being delivered; raises TimeoutError if it is."""
        deadline = time.monotonic() + timeout
        while (found := self._call("GET", "deliveries"))["pending"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found['pending']} events are still being delivered")
            time.sleep(_POLL)
        return list(found["attempts"])

    def advance_clock(self, seconds: float) -> None:
        """Move Composio's time forward, so that links expire."""
        self._call("POST", "clock", {"advance_seconds": seconds})

    def consent(self, redirect_url: str, *, allow: bool = True) -> str | None:
        """Do what a user does on the consent page; returns where the browser is sent."""
        self._http.get(redirect_url).raise_for_status()
        decision = {"decision": "allow" if allow else "deny"}
        answer = self._http.post(redirect_url, data=decision)
        if not answer.is_redirect:
            answer.raise_for_status()
        location: str | None = answer.headers.get("location")
        return location

    def _ledger(self, method: str, path: str, user_id: str | None) -> Json:
        params = {"method": method, "path": path}
        if user_id is not None:
            params["user_id"] = user_id
        return self._call("GET", "ledger", params=params)

    def _call(
        self, method: str, path: str, body: object = None, params: dict[str, str] | None = None
    ) -> Json:
        answer = self._http.request(method, f"/_control/{path}", json=body, params=params)
        answer.raise_for_status()
        found: Json = answer.json()
        return found
