"""A whole call ends in time, over real sockets."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from handler.bounded import BoundedTransport

HEAD = b"HTTP/1.1 201 Created\r\ncontent-length: 20\r\n\r\n"


@contextlib.contextmanager
def answering(answer: bytes, *, seconds_a_byte: float) -> Iterator[str]:
    """Serve one call, a byte at a time, and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while b"user_1" not in connection.recv(65536):
                    pass
                for byte in answer:
                    connection.sendall(bytes([byte]))
                    time.sleep(seconds_a_byte)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def post(url: str, total: float) -> httpx.Response:
    transport = BoundedTransport(httpx.HTTPTransport())
    with httpx.Client(transport=transport, timeout=5) as client:
        return client.post(url, json={"user_id": "user_1"}, extensions={"total": total})


@pytest.mark.parametrize("answer", [HEAD + b"x" * 20, b"HTTP/1.1 201 Created and so on"])
def test_answer_that_comes_byte_by_byte_is_not_waited_for(answer: bytes) -> None:
    with answering(answer, seconds_a_byte=0.1) as url:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout, match="did not end in time"):
            post(url, total=0.3)

    assert time.monotonic() - began < 1


def test_answer_is_as_it_came() -> None:
    with answering(HEAD + b'{"instance": "rec_1"}'[:20], seconds_a_byte=0) as url:
        answer = post(url, total=5)

    assert (answer.status_code, answer.text) == (201, '{"instance": "rec_1"')


def test_what_the_network_does_is_raised_to_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(httpx.ConnectError):
        post(f"http://127.0.0.1:{port}", total=5)
