"""Ctrl-C and SIGTERM end 'provisioner', whatever it is doing."""

import http.server
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from provisioner import interrupt
from provisioner.locate import NEEDED
from tests.deployed.application import PATIENCE_SECONDS
from tests.deployed.processes import command, environment


class Hanging(http.server.BaseHTTPRequestHandler):
    """AWS that describes a stack, and then answers nothing until the test is over."""

    over = threading.Event()
    asked = threading.Event()

    def do_POST(self) -> None:
        """Answer DescribeStacks, and hold everything else."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if parse_qs(body.decode()).get("Action") == ["DescribeStacks"]:
            self._found()
        else:
            self.asked.set()
            self.over.wait()
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _found(self) -> None:
        def members(kind: str, values: Mapping[str, str]) -> str:
            return "".join(
                f"<member><{kind}Key>{k}</{kind}Key><{kind}Value>{v}</{kind}Value></member>"
                for k, v in values.items()
            )

        outputs = dict.fromkeys(NEEDED, "http://127.0.0.1:1")
        parameters = {"McpServerIds": "*", "ComposioBaseUrl": "http://127.0.0.1:1"}
        body = (
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
            "<StackName>here</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
            f"<Outputs>{members('Output', outputs)}</Outputs>"
            f"<Parameters>{members('Parameter', parameters)}</Parameters>"
            "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hanging() -> Iterator[str]:
    Hanging.over.clear()
    Hanging.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Hanging.over.set()
        server.shutdown()
        thread.join()


def ended_by(running: subprocess.Popen[bytes], number: signal.Signals) -> tuple[int, bytes]:
    """Send a signal, and return the exit code and what was printed to stderr."""
    running.send_signal(number)
    # A machine with much else to do needs seconds for this; without the signal it would hang.
    _, said = running.communicate(timeout=30)
    return running.returncode, said


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ("list", signal.SIGINT),
        ("list", signal.SIGTERM),
        ("doctor", signal.SIGINT),
        ("doctor", signal.SIGTERM),
        ("watch", signal.SIGTERM),
        ("events", signal.SIGINT),
        ("logs --follow", signal.SIGINT),
        ("retry --all-failed", signal.SIGTERM),
        ("dead-letters show", signal.SIGINT),
    ],
)
def test_signal_ends_it_at_once(
    arguments: str, number: signal.Signals, hanging: str, tmp_path: Path
) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "r"}
    with subprocess.Popen(  # noqa: S603 - our own
        command("--stack-name", "here", *arguments.split()),
        cwd=tmp_path,
        env=environment(credentials, {"AWS_ENDPOINT_URL": hanging}),
        stderr=subprocess.PIPE,
    ) as running:
        assert Hanging.asked.wait(PATIENCE_SECONDS)
        assert ended_by(running, number) == (128 + number, b"")


DEAF = "signal.signal(signal.SIGINT, lambda *_: None)"
ASLEEP = "(print(flush=True), time.sleep(60))"
HALF_MADE = f"""
class Connection:
    def __init__(self): {ASLEEP}; self.socket = None
    def __del__(self): self.socket
from provisioner import __main__, main
main.app = Connection
__main__.main()
"""


@pytest.mark.parametrize(
    "program",
    [
        f"{DEAF}; from provisioner import interrupt; interrupt.install(); {ASLEEP}",
        f"from provisioner import __main__, main; main.app = lambda: {ASLEEP}; __main__.main()",
        HALF_MADE,
    ],
    ids=["in what cannot be interrupted", "outside of a command", "in what is half made"],
)
def test_ctrl_c_ends_it_without_a_traceback(program: str) -> None:
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", f"import signal, time\n{program}"],
        env=environment({}, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        running.stdout.readline()
        assert ended_by(running, signal.SIGINT) == (130, b"")
    assert interrupt._GRACE_SECONDS < 1


def test_background_job_ignores_ctrl_c_and_cleans_up_at_sigterm() -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from provisioner import interrupt; interrupt.install()\n"
        "try: print(flush=True); time.sleep(30)\n"
        "finally: print('cleaned up')"
    )
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", program], env=environment({}, {}), stdout=subprocess.PIPE
    ) as running:
        assert running.stdout
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=30)[0] == b"cleaned up\n"
    assert running.returncode == 143
