"""Takes a snapshot of the started webhook, and restores it once for each event on standard input.

`fork` stands for SnapStart: a child has all that is in memory. For each event, a line of JSON is
added to the file that the argument names.
"""

import json
import os
import random
import stat
import sys
from pathlib import Path
from typing import Any

import snapshot_restore_py

from handler import services, webhook
from tests.invocation import Context


def sockets() -> int:
    """Count the sockets that are open."""
    found = 0
    for number in Path("/dev/fd").iterdir():
        try:
            found += stat.S_ISSOCK(os.fstat(int(number.name)).st_mode)
        except OSError:  # the one that lists the folder
            continue
    return found


def restore(event: dict[str, Any], luck: Any) -> dict[str, Any]:
    """Take the event in a child, which has the state of `random` that the snapshot had."""
    random.setstate(luck)  # Python seeds anew after a fork, but no restore is one to it
    for function, args, kwargs in snapshot_restore_py.get_after_restore():
        function(*args, **kwargs)
    drawn = random.random()  # noqa: S311 -- it is what the delays are made with
    answer = webhook.lambda_handler(event, Context())
    return {"answer": json.loads(answer["body"]), "luck": drawn}


def main() -> None:
    """Take the snapshot, and restore it once for each event."""
    before = sockets()
    for function, args, kwargs in reversed(snapshot_restore_py.get_before_snapshot()):
        function(*args, **kwargs)
    snapshot = {
        "httpx": "httpx" in sys.modules,
        "sockets": sockets() - before,
        "secret": services.deployed().credentials._secret is not None,
    }
    luck = random.getstate()
    for event in json.load(sys.stdin):
        if not (child := os.fork()):
            with Path(sys.argv[1]).open("a") as told:
                told.write(json.dumps({**snapshot, **restore(event, luck)}) + "\n")
            os._exit(0)
        os.waitpid(child, 0)


main()
