"""What was called, when, and what overlapped. Pure.

No header, body, key or secret ever enters it.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

_MOST_ENTRIES = 200_000


@dataclass(slots=True, kw_only=True)
class Entry:
    """One API call. `started` and `ended` are monotonic seconds, the other two wall clock.

    It ends with the answer, or when the caller hangs up. `status` is what was answered: None
    while it runs, and when nobody got an answer. `carried_out` is the status that the call itself
    came to. `server_id` and `user_id` are those of a create-instance call, `user_id` also that of a
    call that creates a session.
    """

    method: str
    path: str
    query: str
    key_ok: bool
    request_id: str
    server_id: str | None
    user_id: str | None
    started: float
    started_at: str
    ended: float | None = None
    ended_at: str | None = None
    status: int | None = None
    carried_out: int | None = None


class Ledger:
    """The last 200,000 calls, oldest first."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)

    def matching(self, *, method: str, path: str, user_id: str | None) -> object:
        """Return the answer of `GET /_control/ledger`: what matches the shell patterns."""
        entries = [
            entry
            for entry in self.entries
            if fnmatchcase(entry.method, method)
            and fnmatchcase(entry.path, path)
            and user_id in {None, entry.user_id}
        ]
        return {
            "entries": [asdict(entry) for entry in entries],
            "instance_posts": _posts(entry for entry in entries if entry.server_id),
            "session_posts": _posts(
                entry for entry in entries if entry.user_id and not entry.server_id
            ),
        }


def _posts(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """Summarise the create calls of each server and user; of a session, the server is None."""
    groups: dict[tuple[str | None, str | None], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.server_id, entry.user_id].append(entry)
    return [
        {
            "server_id": server_id,
            "user_id": user_id,
            "posts": len(group),
            "created": sum(entry.carried_out == 201 for entry in group),
            "statuses": dict(Counter(str(entry.status) for entry in group)),
            "max_in_flight": _max_in_flight(group),
        }
        for (server_id, user_id), group in groups.items()
    ]


def _max_in_flight(entries: list[Entry]) -> int:
    """Count how many calls overlapped at most: at the start of one, how many had not ended."""
    return max(
        sum(
            other.started <= entry.started and (other.ended is None or other.ended > entry.started)
            for other in entries
        )
        for entry in entries
    )
