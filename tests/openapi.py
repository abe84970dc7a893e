"""`docs/openapi.yaml`, and whether an answer of the handler conforms to it."""

import json
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator

DOCUMENT: dict[str, Any] = yaml.load(Path("docs/openapi.yaml").read_text(), yaml.CSafeLoader)


PATH = {"user_id": "user_1", "server_id": "srv_demo"}
"""A value for each path parameter that exists once a user has connected."""


def about_users() -> list[tuple[str, str]]:
    """Return (method, path) of the operations that IAM guards."""
    return sorted(one for one in routes() if one[1].startswith("/users/"))


def routes() -> set[tuple[str, str]]:
    """Return (method, path) of every operation."""
    return {
        (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return the node, or the node that it refers to."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """Return where the value violates a schema of the document."""
    rooted = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in OAS31Validator(rooted).iter_errors(value)]


def conforms(method: str, path: str, answer: dict[str, Any]) -> None:
    """Check a proxy response against the operation in the document."""
    listed = DOCUMENT["paths"][path][method.lower()]["responses"]
    said = resolved(listed[str(answer["statusCode"])])
    for name, header in said.get("headers", {}).items():
        assert name in answer["headers"] or not header.get("required"), name
        assert errors(header["schema"], answer["headers"].get(name, "")) == []
    if "content" not in said:
        assert answer["body"] == ""
        return
    kind = answer["headers"]["content-type"].split(";")[0]
    value = json.loads(answer["body"]) if kind == "application/json" else answer["body"]
    assert errors(said["content"][kind]["schema"], value) == []
