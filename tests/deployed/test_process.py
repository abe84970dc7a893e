"""`provisioner` as a process: in any environment it works, or says what to do."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from provisioner.locate import NEEDED
from tests.deployed.application import PATIENCE_SECONDS
from tests.deployed.checkout import ROOT
from tests.deployed.operator_commands import Operator

NOWHERE = "/nowhere/at/all"
UNTOUCHED: dict[str, dict[str, str]] = {
    "C locale, dumb terminal without a width": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TERM": "dumb",
        "COLUMNS": "0",
        "LINES": "x",
        "TERMINAL_WIDTH": "x",
    },
    "ASCII, unknown locale and time zone": {
        "PYTHONIOENCODING": "ascii:strict",
        "LC_ALL": "zz_ZZ.KOI8",
        "TZ": "Nowhere/Atall",
    },
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
    "colours in a pipe, no terminal, no rich": {
        "FORCE_COLOR": "1",
        "TTY_COMPATIBLE": "1",
        "NO_COLOR": "",
        "TERM": "",
        "TYPER_USE_RICH": "0",
    },
    "proxies, but not for this machine": {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "NO_PROXY": "127.0.0.1,10.0.0.0/8,fd00::/8,[fd00::]/8",
    },
    "no home, Lambda's variables, warnings": {
        "HOME": NOWHERE,
        "TMPDIR": NOWHERE,
        "PATH": "",
        "AWS_LAMBDA_RUNTIME_API": "x",
        "POWERTOOLS_LOGGER_SAMPLE_RATE": "x",
        "POWERTOOLS_LOG_LEVEL": "none",
        "POWERTOOLS_DEV": "what",
        "PYTHONWARNINGS": "error",
        "PYTHONDEVMODE": "1",
    },
}
"""In each of these, the command works."""
ENVIRONMENTS: dict[str, dict[str, str]] = {
    **UNTOUCHED,
    "a proxy for all": {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "fd00::/8,[fd00::]/8"},
    "no proxy": {"https_proxy": "http://[::1", "http_proxy": "what://", "no_proxy": "["},
    "SOCKS": {"ALL_PROXY": "socks5://127.0.0.1:1"},
    "no authorities": {"SSL_CERT_FILE": NOWHERE},
    "no authorities of AWS": {"AWS_CA_BUNDLE": NOWHERE, "REQUESTS_CA_BUNDLE": NOWHERE},
    "no key log": {"SSLKEYLOGFILE": f"{NOWHERE}/keys"},
    "no profile": {"AWS_PROFILE": "none"},
    "no configuration": {"AWS_CONFIG_FILE": str(ROOT / "LICENSE")},
    "no credentials file": {"AWS_SHARED_CREDENTIALS_FILE": str(ROOT / "LICENSE")},
    "no region": {"AWS_REGION": "no region!"},
    "no endpoint": {"AWS_ENDPOINT_URL": "nonsense"},
    "another endpoint": {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"},
    "no retry mode": {"AWS_RETRY_MODE": "none"},
    "no number of attempts": {"AWS_MAX_ATTEMPTS": "x"},
    "no defaults mode": {"AWS_DEFAULTS_MODE": "none"},
    "half of a key": {"AWS_SECRET_ACCESS_KEY": ""},
    "a web identity": {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_ROLE_ARN": "x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": NOWHERE,
    },
    "credentials of a container": {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.invalid",
    },
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "provisioner", *arguments]


def environment(base: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    paths = {"PATH": os.defpath, "HOME": "/", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return {**paths, **base, **changes}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_in_any_environment_it_works_or_says_what_to_do(
    name: str, operator: Operator, tmp_path: Path
) -> None:
    ran = subprocess.run(  # noqa: S603 - our own
        command("doctor", "--json"),
        cwd=tmp_path,
        env=environment(operator.environment, ENVIRONMENTS[name]),
        capture_output=True,
        check=False,
    )

    encoding = "utf-16" if name == "UTF-16" else "utf-8"
    out, err = ran.stdout.decode(encoding), ran.stderr.decode(encoding)
    assert "Traceback" not in err
    assert "fault of this program" not in err
    assert ran.returncode == 1, (out, err)  # the webhook is not connected
    result = json.loads(out or err)
    if isinstance(result, dict):
        assert name not in UNTOUCHED
        assert result["error"]
        assert result["remedy"]
    else:
        assert {one["check"] for one in result} >= {"stack", "secret", "queue"}
        assert all(one["remedy"] for one in result if one["level"] == "error")


@pytest.mark.parametrize(
    "redirection", [">&-", "<&- 2>&-", "> /dev/full", "2> /dev/full", "2>&1 | true"]
)
def test_with_any_streams_it_ends_in_order(
    redirection: str, operator: Operator, tmp_path: Path
) -> None:
    script = f'"$0" -m provisioner list {redirection}; echo "ended ${{PIPESTATUS[0]}}"'
    ran = subprocess.run(  # noqa: S603 - our own
        ["/bin/bash", "-c", script, sys.executable],
        cwd=tmp_path,
        env=environment(operator.environment, {}),
        capture_output=True,
        text=True,
        check=False,
    )

    *_, last = ran.stdout.splitlines()
    assert last in {"ended 0", "ended 1"}
    assert "Traceback" not in ran.stderr + ran.stdout
    assert "Exception ignored" not in ran.stderr
    if ">&-" in redirection.split() or redirection == "> /dev/full":
        assert last == "ended 1"
        assert "→" in ran.stderr


def test_in_a_folder_that_is_gone_it_works(operator: Operator, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'rmdir "$1"; "$0" -m provisioner list'
    ran = subprocess.run(  # noqa: S603 - our own
        ["/bin/sh", "-c", script, sys.executable, folder],
        cwd=folder,
        env=environment(operator.environment, {}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("0 in all" in ran.stdout, ran.returncode) == (True, 0), ran.stderr


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


@pytest.mark.parametrize(
    "program",
    [
        f"{DEAF}; from provisioner import interrupt; interrupt.install(); {ASLEEP}",
        f"from provisioner import __main__, main; main.app = lambda: {ASLEEP}; __main__.main()",
    ],
    ids=["in what cannot be interrupted", "outside of a command"],
)
def test_ctrl_c_ends_it_without_a_traceback(program: str) -> None:
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", f"import signal, time; {program}"],
        env=environment({}, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        running.stdout.readline()
        assert ended_by(running, signal.SIGINT) == (130, b"")


def test_sigterm_lets_a_background_job_clean_up_and_ctrl_c_is_not_for_it() -> None:
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
