"""Draws the minutes of simulated scenarios as an SVG that reads in light and in dark."""

from collections.abc import Callable, Mapping, Sequence

from bench.simulation import Minute

WIDTH, PANEL, GAP, LEFT, TOP = 780, 150, 44, 70, 46
COLOURS = ("#0969da", "#bf8700", "#1a7f37")
PANELS: dict[str, Callable[[Minute], int]] = {
    "users not ready yet": lambda minute: minute.pending,
    "instances created a minute": lambda minute: minute.ready,
    "answers 429 a minute": lambda minute: minute.refused,
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.title { font-size: 14px; fill: #24292f; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.outage { fill: #cf222e; fill-opacity: .12; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; } .title { fill: #f0f6fc; } .grid { stroke: #3d444d; }
}
"""


def drawn(title: str, scenarios: Mapping[str, Sequence[Minute]], outage: range) -> str:
    """Return the picture: a panel for each figure, a line for each scenario, over hours."""
    height = TOP + len(PANELS) * (PANEL + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}</title><style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{title}</text>',
    ]
    for place, name in enumerate(scenarios):
        x = LEFT + place * 230
        parts.append(f'<rect x="{x}" y="30" width="14" height="4" fill="{COLOURS[place]}"/>')
        parts.append(f'<text x="{x + 20}" y="36">{name}</text>')
    for place, (name, figure) in enumerate(PANELS.items()):
        top = TOP + 20 + place * (PANEL + GAP)
        lines = {key: [figure(one) for one in minutes] for key, minutes in scenarios.items()}
        parts += _panel(name, lines, outage, top)
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, lines: Mapping[str, Sequence[int]], outage: range, top: int) -> list[str]:
    length = max(map(len, lines.values()))
    most = max(max(line) for line in lines.values()) or 1
    scale = (WIDTH - LEFT - 10) / length
    struck, wide = LEFT + outage.start * scale, len(outage) * scale
    parts = [
        f'<rect class="outage" x="{struck:.1f}" y="{top}" width="{wide:.1f}" height="{PANEL}"/>',
        f'<text x="8" y="{top - 6}">{name}</text>',
        f'<text x="8" y="{top + 10}">{most:,}</text>',
    ]
    parts += [
        f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - 10}" y2="{y}"/>'
        for y in (top, top + PANEL)
    ]
    for hour in range(0, length // 60, 6):
        x = LEFT + hour * 60 * scale
        parts.append(f'<text x="{x:.0f}" y="{top + PANEL + 14}">{hour} h</text>')
    for place, line in enumerate(lines.values()):
        # The highest of each ten minutes: what is short must be seen, too.
        points = " ".join(
            f"{LEFT + at * scale:.1f},{top + PANEL * (1 - max(line[at : at + 10]) / most):.1f}"
            for at in range(0, len(line), 10)
        )
        parts.append(
            f'<polyline fill="none" stroke="{COLOURS[place]}" stroke-width="1.5" '
            f'points="{points}"/>'
        )
    return parts
