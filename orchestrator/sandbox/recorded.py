"""What the real switch was recorded to say (recorded.json, written by `python -m tests.transcripts.record`).

The variables that a call gets at each stage of its life, with names in place of what differs from call to call; and the
names of what the real one has (commands, applications, endpoints …), so that what is not simulated is told from what
there is not.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

_DATA: dict[str, Any] = json.loads(resources.files("orchestrator.sandbox").joinpath("recorded.json").read_text("utf-8"))

API_COMMANDS = frozenset[str](_DATA["api"])
APPLICATIONS = frozenset[str](_DATA["applications"])
CONFERENCE_COMMANDS: dict[str, str] = _DATA["conference"]
"""Each with its usage."""
ENDPOINTS = frozenset[str](_DATA["endpoints"])
GLOBALS = frozenset[str](_DATA["globals"])
"""The names of its global variables."""
PLACES = frozenset[str](_DATA["xml"])
"""The sections of its configuration, and what they hold by name, as `xml_locate` takes them."""


def variables(stage: str, names: dict[str, str]) -> dict[str, str]:
    """Return the variables of a stage, with `names` filled in."""
    filled = {}
    for name, template in _DATA["stages"][stage].items():
        value = str(template)
        if "$" in value:
            for placeholder, replacement in names.items():
                value = value.replace(placeholder, replacement)
        filled[name] = value
    return filled
