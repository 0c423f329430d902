"""All dialects: a row each."""

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
