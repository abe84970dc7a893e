"""The page about events, its samples and its schemas."""

import json
import re
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker

DOC = Path("docs/events.md").read_text()
SCHEMAS = {path.stem.split(".")[0]: path for path in Path("docs/events").glob("*.schema.json")}
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", DOC, re.DOTALL)]
(IN_PATTERN, OUT_PATTERN), SAMPLES = BLOCKS[:2], BLOCKS[2:]


@cache
def schema_of(name: str) -> Draft202012Validator:
    schema = json.loads(SCHEMAS[name].read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def schema_name(detail_type: str) -> str:
    return detail_type.lower().replace(" ", "-")


def outcome_schema(detail_type: str) -> Draft202012Validator:
    return schema_of(schema_name(detail_type))
