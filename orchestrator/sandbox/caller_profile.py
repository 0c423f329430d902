"""Who is shown to whom in a call (switch_caller_profile_t)."""

from __future__ import annotations

from dataclasses import dataclass, field

_CONSTANT = {
    "Caller-Channel-Last-Hold": "0",
    "Caller-Channel-Hold-Accum": "0",
    "Caller-Screen-Bit": "true",
    "Caller-Privacy-Hide-Name": "false",
    "Caller-Privacy-Hide-Number": "false",
}
FIELDS_NOT_SIMULATED = frozenset(
    {
        *("ani", "ani_numplan", "ani_ton", "aniii", "callee_id_name", "callee_id_number", "caller_numplan"),
        *("caller_ton", "chan_name", "context", "destination_number_numplan", "destination_number_ton", "dialplan"),
        *("network_addr", "orig_caller_id_name", "orig_caller_id_number", "privacy_hide_name", "privacy_hide_number"),
        *("profile_created_time", "profile_index", "rdnis", "rdnis_numplan", "rdnis_ton", "screen_bit", "source"),
        *("answered_time", "created_time", "hungup_time", "progress_media_time", "progress_time", "transfer_source"),
        *("transferred_time", "username"),
    }
)
"""What else the real one finds there by name (switch_caller_get_field_by_name)."""


@dataclass(slots=True)
class CallerProfile:
    """Who calls whom: two sides, which change places when the call is transferred."""

    caller_name: str
    caller_number: str
    destination: str
    callee_name: str = "Outbound Call"
    callee_number: str = ""
    dialplan: str = ""
    _first_name: str = field(init=False)
    _first_number: str = field(init=False)

    def __post_init__(self) -> None:
        """Remember who called before anything changed."""
        self._first_name, self._first_number = self.caller_name, self.caller_number

    def flip(self) -> None:
        """switch_channel_flip_cid."""
        self.caller_name, self.callee_name = self.callee_name, self.caller_name
        self.caller_number, self.callee_number = self.callee_number, self.caller_number

    def headers(
        self, direction: str, channel_uuid: str, channel_name: str, stamps: dict[str, int], *, seen: bool
    ) -> dict[str, str]:
        """Give what events say of it (switch_caller_profile_event_set_data); `seen`: the far end has answered us."""
        headers = {
            "Caller-Direction": direction,
            "Caller-Logical-Direction": direction,
            "Caller-Dialplan": self.dialplan,
            "Caller-Caller-ID-Name": self.caller_name,
            "Caller-Caller-ID-Number": self.caller_number,
            "Caller-Orig-Caller-ID-Name": self._first_name,
            "Caller-Orig-Caller-ID-Number": self._first_number,
            "Caller-Callee-ID-Name": self.callee_name,
            "Caller-Callee-ID-Number": self.callee_number,
            "Caller-Network-Addr": "127.0.0.1" if seen else "",
            "Caller-ANI": self._first_number,
            "Caller-Destination-Number": self.destination,
            "Caller-Unique-ID": channel_uuid,
            "Caller-Source": "src/switch_ivr_originate.c",
            "Caller-Context": "default",
            "Caller-Channel-Name": channel_name,
            "Caller-Profile-Index": "1",
            "Caller-Profile-Created-Time": str(stamps["Created"]),
        }
        headers = {name: value for name, value in headers.items() if value}
        return headers | {f"Caller-Channel-{name}-Time": str(at) for name, at in stamps.items()} | _CONSTANT
