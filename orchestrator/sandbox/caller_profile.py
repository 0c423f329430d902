"""Who is shown to whom in a call (switch_caller_profile_t)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallerProfile:
    """switch_caller_profile_t: who is shown to whom. The two sides change places when the call is transferred."""

    caller_name: str
    caller_number: str
    destination: str
    callee_name: str = "Outbound Call"
    callee_number: str = ""
    dialplan: str = ""

    def flip(self) -> None:
        """switch_channel_flip_cid."""
        self.caller_name, self.callee_name = self.callee_name, self.caller_name
        self.caller_number, self.callee_number = self.callee_number, self.caller_number
