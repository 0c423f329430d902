"""A dialect is a language: requests in, answers and callbacks out. Each is a folder with the same file names, and a row
here; what its folder exports is described in `base.py`. `own` is our own API under /v1, and no dialect."""

from __future__ import annotations

from typing import Final

from orchestrator.dialects import restcomm, signalwire, twilio, twilio_xml
from orchestrator.dialects.base import Dialects

DIALECTS: Final = Dialects(
    signalwire.DIALECT,  # before those that share its prefix: it is told by the account alone
    twilio.DIALECT,
    twilio_xml.DIALECT,
    restcomm.DIALECT,
    default=twilio.DIALECT,
)
