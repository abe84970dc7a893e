"""Runs the demo and saves its output as a picture: `python -m local.demo.recording FILE.svg`."""

import re
import sys
from pathlib import Path

from rich.console import Console

from local.demo.__main__ import demo
from local.environment import run
from local.timeline import Timeline

_COLUMNS = 128
_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def record(path: Path) -> None:
    """Run the demo, and save the picture only if it ends well."""
    # Not a terminal: then a running step is a line as well, and nothing is overwritten.
    console = Console(record=True, force_terminal=False, highlight=False, width=_COLUMNS)

    def demo_and_save(timeline: Timeline) -> None:
        demo(timeline)
        picture = console.export_svg(title="make demo", unique_id="demo")
        # rich would have the reader's browser load a font from elsewhere.
        path.write_text(_FONT.sub("", picture))

    run(demo_and_save, Timeline(console))


if __name__ == "__main__":
    record(Path(sys.argv[1]))
