"""Runs the demo and draws what it printed, and when: `python -m local.recording docs/demo.svg`.

The drawing is a terminal whose lines appear in the rhythm in which they were printed, and stay.
Whoever wants no motion has all of them at once. It loads nothing.
"""

import sys
from collections.abc import Iterable
from html import escape
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.text import Text

from local import demo
from local.standin import command
from local.timeline import Timeline

_CHARACTER, _LINE, _GAP = 7.3, 16, 9
_MARGIN, _BAR = 18, 34
_FASTER = 3
# What ANSI's codes call the colours of the timeline.
_COLOURS = {"color(1)": "red", "color(2)": "green", "color(6)": "cyan"}

_STYLE = f"""
text {{ font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d1d7e0;
  white-space: pre; }}
.dim {{ fill: #9198a1; }} .bold {{ fill: #f0f6fc; font-weight: bold; }}
.cyan {{ fill: #79c0d8; }} .green {{ fill: #6bc46d; }} .red {{ fill: #f47067; }}
@media (prefers-reduced-motion: no-preference) {{
  [style] {{ animation: wait 1ms calc(var(--at) / {_FASTER}) backwards; }}
}}
@keyframes wait {{ from {{ opacity: 0; }} to {{ opacity: 0; }} }}
"""


def draw(lines: Iterable[str]) -> str:
    """Return an SVG of the lines of a timeline.

    Args:
        lines: As printed, with ANSI's codes for the styles. An empty one begins a chapter.
    """
    y, widest, drawn = _BAR + 6, 0, []
    for line in map(Text.from_ansi, lines):
        y += _LINE if line else _GAP
        if line:
            widest = max(widest, len(line))
            at = line.plain.split(maxsplit=1)[0]
            drawn.append(f'<text x="{_MARGIN}" y="{y}" style="--at:{at}s">{_spans(line)}</text>')
    width = 2 * _MARGIN + round(widest * _CHARACTER)
    return "\n".join([*_window(width, y + _MARGIN), *drawn, "</g>", "</svg>", ""])


def _spans(line: Text) -> str:
    """Mark the parts of a line with the names of their styles."""
    ends = sorted({0, len(line), *(end for span in line.spans for end in (span.start, span.end))})
    styles = {span.start: _COLOURS.get(str(span.style), span.style) for span in line.spans}
    return "".join(
        f'<tspan class="{styles[start]}">{text}</tspan>' if start in styles else text
        for start, end in pairwise(ends)
        for text in [escape(line.plain[start:end], quote=False)]
    )


def _window(width: int, height: int) -> list[str]:
    inner = f'width="{width - 1}" height="{height - 1}"'
    dots = "".join(f'<circle cx="{x}" cy="17" r="5" fill="#3d444d"/>' for x in (22, 40, 58))
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<title>make demo, recorded</title>",
        f"<desc>What one run printed, and when, {_FASTER} times as fast as it was.</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect x=".5" y=".5" {inner} rx="8" fill="#151b23" stroke="#3d444d"/>',
        f'{dots}<text class="dim" x="{width // 2}" y="21" text-anchor="middle">make demo</text>',
        "<g>",
    ]


def record(path: Path) -> None:
    """Play the demo, and draw it only if it ends well."""
    # No terminal: what goes on for a while is a line as well, and nothing is overwritten.
    console = Console(record=True, force_terminal=False, highlight=False)

    def play(timeline: Timeline) -> None:
        demo.play(timeline)
        path.write_text(draw(console.export_text(styles=True).splitlines()))

    command(play, Timeline(console))


if __name__ == "__main__":
    record(Path(sys.argv[1]))
