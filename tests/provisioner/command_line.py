"""Runs `provisioner` in this process. Its parser is built once: each build takes 5 ms."""

from typing import Any
from unittest.mock import patch

import typer.testing
from typer.testing import CliRunner, Result

from provisioner.main import app

COMMAND: Any = typer.main.get_command(app)


def run(*arguments: object, code: int | None = 0, charset: str = "utf-8", **more: Any) -> Result:
    """Run a command that must end with this exit code; None allows any."""
    with patch.object(typer.testing, "_get_command", lambda _: COMMAND):
        ended = CliRunner(charset).invoke(app, [*map(str, arguments)], **more)
    assert code is None or ended.exit_code == code, ended.output
    return ended
