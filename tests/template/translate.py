"""Prints the template as CloudFormation gets it; run by the Python that has sam's translator.

`python translate.py PARAMETERS`: JSON of the parameters that differ from their defaults.
"""

import json
import sys
from pathlib import Path

from samtranslator.translator.transform import transform  # type: ignore[import-not-found]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]


class NoManagedPolicies:
    """The template names none."""

    def load(self) -> dict[str, str]:
        """Return the managed policies that the translator may look up by name."""
        return {}


template = yaml_parse(Path("template.yaml").read_text())
# `sam package` would have put the place of the package here.
template["Globals"]["Function"]["CodeUri"] = "s3://bucket/package"
defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items()}
given = json.loads(sys.argv[1])
print(json.dumps(transform(template, defaults | given, NoManagedPolicies())))  # noqa: T201
