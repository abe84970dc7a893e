"""The picture of the demo: it tells the whole story, by itself, and loads nothing."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from local import recording, story

PICTURE = Path("docs/demo.svg")
SVG = "{http://www.w3.org/2000/svg}"
PRINTED = [
    "\x1b[2m   0.50 s  \x1b[0m\x1b[36msam       \x1b[0mbuild <&> ...",
    "",
    "\x1b[2m  12.00 s  \x1b[0m\x1b[36m          \x1b[0m\x1b[1mA chapter\x1b[0m",
]


def shown(svg: str) -> list[str]:
    """Return the lines of the recording, as one reads them."""
    (group,) = ET.fromstring(svg).iter(f"{SVG}g")  # noqa: S314 - it is ours
    return ["".join(line.itertext()) for line in group]


def test_lines_are_drawn_as_printed_each_at_its_time() -> None:
    svg = recording.draw(PRINTED)
    assert shown(svg) == ["   0.50 s  sam       build <&> ...", "  12.00 s            A chapter"]
    assert re.findall(r"--at:([\d.]+s)", svg) == ["0.50s", "12.00s"]
    assert re.findall(r'<tspan class="(.*?)">', svg) == ["dim", "cyan", "dim", "cyan", "bold"]


def test_picture_has_every_chapter_in_its_order_and_ends_well() -> None:
    text = PICTURE.read_text()
    titles = re.findall(r'<tspan class="bold">(.*)</tspan>', text)
    chapters = [(chapter.__doc__ or "").rstrip(".") for chapter in story.STORY]
    assert titles == [
        *chapters,
        "What must be true now",
        "one instance each, and nothing is left running",
    ]
    assert 'class="green">carol was told of: MCP Instance Ready' in text


def test_picture_keeps_the_times_that_it_shows() -> None:
    text = PICTURE.read_text()
    times = [float(line.split()[0]) for line in shown(text)]
    assert times == sorted(times)
    assert [float(at) for at in re.findall(r"--at:([\d.]+)s", text)] == times


def test_picture_is_small_and_loads_nothing() -> None:
    text = PICTURE.read_text()
    assert len(text) < 30_000
    assert set(re.findall(r"\w+://[^/:\s\"<]+", text)) == {"http://www.w3.org", "http://127.0.0.1"}
    tags = {each.tag.removeprefix(SVG) for each in ET.fromstring(text).iter()}  # noqa: S314
    assert tags == {"svg", "title", "desc", "style", "rect", "circle", "g", "text", "tspan"}
    assert not re.search(r"url\(|@import|@font-face|href|src=", text)


def test_picture_has_no_line_wider_than_itself() -> None:
    text = PICTURE.read_text()
    width = int(ET.fromstring(text).attrib["viewBox"].split()[2])  # noqa: S314
    assert max(map(len, shown(text))) * 7.25 < width - 30


def test_picture_has_a_colour_for_each_style_that_it_uses() -> None:
    text = PICTURE.read_text()
    used = set(re.findall(r'class="(.*?)"', text))
    assert used == {"dim", "bold", "cyan", "green", "red"}
    assert set(re.findall(r"\.(\w+) \{ fill: #", text)) == used
