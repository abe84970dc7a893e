"""Calls over real sockets end in time."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import httpx
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from handler.bounded_transport import BoundedTransport
from handler.composio import Composio
from handler.credentials import Credentials
from handler.targets import Answer, Problem, Target
from handler.transport import Transport, connect
from tests.doubles import FakeSecretsManager

HEAD = b"HTTP/1.1 201 Created\r\ncontent-length: 20\r\n\r\n"
DRIPS = [HEAD + b"x" * 20, b"HTTP/1.1 201 Created and so on"]
"""Answers with a slow body, and with a head that does not end."""

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted, and loading certificate authorities takes 35 ms."""

type Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Serve each connection in a thread, and yield the URL."""

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def dripping(answer: bytes, seconds_a_byte: float) -> Serve:
    def serve(connection: socket.socket) -> None:
        while asked(connection):
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(seconds_a_byte)

    return serve


def asked(connection: socket.socket) -> bool:
    """Read one request, and say whether one came."""
    came = b""
    while b"user_1" not in came:
        if not (more := connection.recv(65536)):
            return False
        came += more
    return True


def client() -> httpx.Client:
    plain = partial(httpx.HTTPTransport, verify=NO_AUTHORITIES)
    return httpx.Client(transport=BoundedTransport(plain), timeout=30)


def post(url: str, total: float, through: httpx.Client | None = None) -> httpx.Response:
    with contextlib.nullcontext(through) if through else client() as http:
        return http.post(url, json={"user_id": "user_1"}, extensions={"total": total})


def threads_end(before: int) -> bool:
    """Wait until there are no more threads than before."""
    until = time.monotonic() + 15
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    return threading.active_count() <= before


@pytest.mark.parametrize("answer", DRIPS)
def test_abandoned_calls_hold_no_thread_and_no_connection(answer: bytes) -> None:
    slow, ended = True, threading.Semaphore(0)

    def serve(connection: socket.socket) -> None:
        try:
            dripping(answer if slow else HEAD + b"x" * 20, 0.05 if slow else 0)(connection)
        finally:
            ended.release()

    with serving(serve) as url, client() as http:
        before = threading.active_count()
        for _ in range(12):
            with pytest.raises(httpx.ReadTimeout, match="did not end in time"):
                post(url, 0.05, http)
        assert all(ended.acquire(timeout=15) for _ in range(12))
        assert threads_end(before)
        slow = False

        assert post(url, 30, http).status_code == 201


@pytest.mark.parametrize("reused", [False, True])
def test_abandoned_call_ends_on_a_new_or_reused_connection(*, reused: bool) -> None:
    slow, connections = False, list[socket.socket]()

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        while asked(connection):
            dripped = HEAD + b"x" * (1 if slow else 20)
            connection.sendall(dripped)

    with serving(serve) as url, client() as http:
        before = threading.active_count()
        if reused:
            post(url, 30, http)
            post(url, 30, http)
            before = threading.active_count()
        slow = True
        with pytest.raises(httpx.ReadTimeout):
            post(url, 0.1, http)

        assert threads_end(before)
        assert len(connections) == 1


def test_abandoned_call_sends_nothing_once_it_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A DNS look-up cannot be interrupted; Lambda may resume it minutes later."""
    resolves, sent, closed = threading.Event(), list[bytes](), threading.Event()
    look_up = socket.getaddrinfo

    def slow(*args: object, **named: object) -> object:
        resolves.wait(15)
        return look_up(*args, **named)  # type: ignore[arg-type]

    def serve(connection: socket.socket) -> None:
        sent.append(connection.recv(65536))
        closed.set()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with serving(serve) as url:
        with pytest.raises(httpx.ReadTimeout):
            post(url, total=0.1)
        resolves.set()

        assert closed.wait(15)
    assert sent == [b""]


def test_answer_is_returned_unchanged() -> None:
    with serving(dripping(HEAD + b'{"instance": "rec_1"', 0)) as url:
        answer = post(url, total=30)

    assert (answer.status_code, answer.text) == (201, '{"instance": "rec_1"')


def test_network_error_is_raised_to_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(httpx.ConnectError):
        post(f"http://127.0.0.1:{port}", total=30)


def test_create_call_ends_before_its_deadline_however_slowly_the_answer_comes() -> None:
    with serving(dripping(DRIPS[0], 0.1)) as url, connect(url) as http:
        store = FakeSecretsManager()
        store.keep("ak_invented")
        credentials = Credentials(cast("SecretsManagerClient", store), "secret", time.time)
        composio = Composio(Transport(lambda: http, credentials, time.time))
        deadline = time.time() + 1.1

        answer = composio.create(Target("srv_1", frozenset()), "user_1", deadline=deadline)

    assert answer == Answer(None, problem=Problem("no answer: ReadTimeout"))
    assert time.time() < deadline + 3
