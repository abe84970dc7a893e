"""The HTTP server of the simulator, in the main thread or in one of its own."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import uvicorn

from local.simulator.answer import Wire
from local.simulator.app import application
from local.simulator.client import Simulator
from local.simulator.project import Beginning, Project


@contextlib.contextmanager
def embedded(beginning: Beginning) -> Iterator[Simulator]:
    """Serve a project from a thread of this process, on a free port, and yield its client."""
    listening = listen("127.0.0.1", 0)
    url = url_of(listening)
    serving = server(Project(replace(beginning, base_url=url)))
    thread = threading.Thread(target=serving.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with Simulator(url) as simulator:
            yield simulator
    finally:
        serving.should_exit = True
        thread.join()


def server(project: Project) -> uvicorn.Server:
    """Build the HTTP server of a project; it stops at once, whatever is still open."""
    return uvicorn.Server(
        uvicorn.Config(
            application(project),
            http=Wire,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="critical",
            access_log=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=0,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 picks a free one.

    Raises:
        OSError: When the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol asyncio does not switch off Nagle's algorithm: 40 ms per answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.listen(2048)
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL under which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
