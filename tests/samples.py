"""The events of `events/`, by the name of their file."""

import json
from pathlib import Path

SAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in Path("events").glob("*.json")
    if path.stem != "bus"
}
