"""The connect sessions in the table.

| pk | sk | holds |
|---|---|---|
| `CONNECT#<sid>` | `SESSION` | the session; `link#<auth config>`, `made#<account>`, `uri#<hash>` |

DynamoDB deletes a row some time after its `ttl`, and a row that has expired still answers until
then: so each condition names the time. Callers read before they write, and a write changes nothing
for a browser that the row does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.connect_rules import CLAIM_SECONDS, MOST_CALLS, Attempt, ConnectSession, most_links
from handler.dynamodb import Table, assign

LINK = "link#"
MADE = "made#"
URI = "uri#"
"""Prefixes of attribute names: an id can then never name another attribute."""

_MAY_CALL = "#browser = :browser AND #ttl > :now AND #calls < :most"


@dataclass(eq=False)
class ConnectTable:
    """The sessions, each a row of its own."""

    table: Table

    def create(self, session: ConnectSession) -> None:
        """Store a session that nobody has started."""
        row = session_to_row(session)
        self.table.update(_key(session.sid), assign(row), "attribute_not_exists(#pk)", **row)

    def read(self, sid: str) -> ConnectSession | None:
        """Return the session, also where it has expired; read consistently."""
        rows = list(self.table.partition(_key(sid)["pk"]))
        return session_from_row(sid, rows[0]) if rows else None

    def bind(self, session: ConnectSession, browser: str, *, now: int) -> bool:
        """Make the session this browser's; False where it has expired, or is another's."""
        row, bound = self._update(
            session,
            "SET #browser = :browser",
            "attribute_not_exists(#browser) AND #expires_at > :now",
            browser=browser,
            now=now,
        )
        # A write that botocore repeats fails on its own first attempt: the row is then ours.
        return bound or row.get("browser") == browser

    def claim(
        self, session: ConnectSession, auth_config_id: str, *, token: str, now: int
    ) -> tuple[ConnectSession, Attempt]:
        """Keep other clicks away from this auth config, and count the call that follows.

        Returns:
            The session, and the attempt, as they then are; it is yours if it has your token.
        """
        before = session.attempts.get(auth_config_id)
        after = (before or Attempt())._replace(claim=token, free_at=now + CLAIM_SECONDS)
        free = "#link.#claim = :before AND #link.#free_at <= :now"
        row, _ = self._update(
            session,
            "SET #link = :link, #calls = #calls + :one",
            "#browser = :browser AND #expires_at > :now AND #calls < :most AND "
            + (free if before else "attribute_not_exists(#link)"),
            {"link": LINK + auth_config_id},
            link=after._asdict(),
            before=before.claim if before else "",
            now=now,
        )
        held = session_from_row(session.sid, row) if row else session
        return held, held.attempts.get(auth_config_id, Attempt())

    def count_link(
        self, session: ConnectSession, auth_config_id: str, attempt: Attempt, *, required: int
    ) -> bool:
        """Count a link, before it is made: whatever happens then, it has been counted."""
        _, counted = self._update(
            session,
            "SET #links = #links + :one, #calls = #calls + :one",
            "#link.#claim = :claim AND #links < :most_links AND #calls < :most",
            {"link": LINK + auth_config_id},
            claim=attempt.claim,
            most_links=most_links(required),
        )
        return counted

    def keep_link(self, session: ConnectSession, auth_config_id: str, made: Attempt) -> bool:
        """Store the link that was made; False where another click has taken over by now."""
        row, kept = self._update(
            session,
            "SET #link = :link, #made = :auth_config_id",
            "#link.#claim = :claim",
            {"link": LINK + auth_config_id, "made": MADE + made.account},
            link=made._asdict(),
            claim=made.claim,
            auth_config_id=auth_config_id,
        )
        return kept or MADE + made.account in row

    def release(
        self, session: ConnectSession, auth_config_id: str, held: Attempt, *, now: int
    ) -> None:
        """Let the next click through: this one made no link."""
        self._update(
            session,
            "SET #link = :link",
            "#link.#claim = :claim",
            {"link": LINK + auth_config_id},
            link=held._replace(free_at=now)._asdict(),
            claim=held.claim,
        )

    def count_call(self, session: ConnectSession, *, now: int) -> bool:
        """Count a call to Composio that the browser causes; False where there were too many."""
        _, counted = self._update(session, "SET #calls = #calls + :one", _MAY_CALL, now=now)
        return counted

    def redeem(self, session: ConnectSession, uri: str, *, token: str, now: int) -> bool:
        """Count the one call for this session URI (its hash); False where there was one."""
        row, counted = self._update(
            session,
            "SET #uri = :token, #calls = #calls + :one",
            f"{_MAY_CALL} AND attribute_not_exists(#uri)",
            {"uri": URI + uri},
            token=token,
            now=now,
        )
        return counted or row.get(URI + uri) == token

    def end(self, session: ConnectSession, *, now: int) -> None:
        """Let nothing more be connected; who comes back late is still sent on."""
        condition = "#browser = :browser AND #expires_at > :now"
        self._update(session, "SET #expires_at = :now", condition, now=now)

    def _update(
        self,
        session: ConnectSession,
        update: str,
        condition: str,
        names: Mapping[str, str] = {},
        **values: object,
    ) -> tuple[dict[str, Any], bool]:
        """Update the session's row, as `Table.update`; these values need not be given."""
        usual = {"browser": session.browser, "most": MOST_CALLS, "one": 1}
        return self.table.update(_key(session.sid), update, condition, names, **usual | values)


def session_to_row(session: ConnectSession) -> dict[str, Any]:
    """Return the attributes of a session that nobody has started."""
    return {
        "user_id": session.user_id,
        "targets": list(session.targets),
        "base": session.base,
        "label": session.label,
        "return_url": session.return_url,
        "calls": 0,
        "links": 0,
        "expires_at": session.expires_at,
        "ttl": session.ends_at,
    }


def session_from_row(sid: str, row: Mapping[str, Any]) -> ConnectSession:
    """Return the session in the row."""
    return ConnectSession(
        sid=sid,
        user_id=row["user_id"],
        targets=tuple(row["targets"]),
        base=row["base"],
        expires_at=row["expires_at"],
        ends_at=row["ttl"],
        label=row["label"],
        return_url=row["return_url"],
        browser=row.get("browser", ""),
        calls=row["calls"],
        links=row["links"],
        attempts={
            name.removeprefix(LINK): Attempt(**value)
            for name, value in row.items()
            if name.startswith(LINK)
        },
        made={
            name.removeprefix(MADE): value for name, value in row.items() if name.startswith(MADE)
        },
    )


def _key(sid: str) -> dict[str, str]:
    return {"pk": f"CONNECT#{sid}", "sk": "SESSION"}
