"""A dialect is a language: requests in, answers and callbacks out. Each is a folder with the same file names, and a row
here; what its folder exports is described in `base.py`. `own` is our own API under /v1, and no dialect."""

from __future__ import annotations

from typing import Final

from orchestrator.dialects import twilio
from orchestrator.dialects.base import Dialects

DIALECTS: Final = Dialects(twilio.DIALECT, default=twilio.DIALECT)
