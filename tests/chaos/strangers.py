"""Attacks by SIP and RTP on a real switch: strangers' calls, called parties that lead elsewhere, media from nowhere.

They know what nobody outside ought to know: the uuids, Call-IDs and RTP ports of the calls that they are after.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import requests

from tests.chaos.intruder import Account
from tests.chaos.ledger import Ledger
from tests.harness.freeswitch import tone_hz
from tests.harness.polling import eventually
from tests.harness.rtp import RtpPort, tone_frames
from tests.harness.sip import Agent, Message, Reply, answers, media_of, sdp
from tests.harness.sound import HEARD_DBFS, level
from tests.harness.stack import RealSwitch, Stack

ATTACK_HZ: Final = 3100
"""What attackers say; nobody may hear it."""
ANSWER_SECONDS: Final = 1.0
SPEAK_SECONDS: Final = 0.5
LEAST_SAMPLES: Final = 800
CONVINCING: Final = 12
"""Packets from elsewhere that mod_sofia follows: rtp_auto_adjust_threshold is 10 (switch_rtp.c)."""
FRAME_SECONDS: Final = 0.02


@dataclass(frozen=True)
class Victim:
    """A call of somebody who is in a conference."""

    number: str
    conference_sid: str
    uuid: str
    call_id: str
    rtp_port: int


def invites(victim: Victim) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Name -> user of the Request-URI, headers: every way we know in which an INVITE has a say in other calls."""
    tags = "to-tag=a;from-tag=b"
    return {
        "plain": ("+15550001000", {}),
        "to the conference": (victim.conference_sid, {}),
        "to the conference and profile": (f"{victim.conference_sid}%40orchestrator", {}),
        "Replaces uuid": ("x", {"Replaces": f"{victim.uuid};{tags}"}),
        "Replaces uuid, a-leg": ("x", {"Replaces": f"{victim.uuid};{tags};a-leg=true"}),
        "Replaces Call-ID": ("x", {"Replaces": f"{victim.call_id};{tags}"}),
        "Replaces Call-ID, early": ("x", {"Replaces": f"{victim.call_id};{tags};early-only"}),
        "Join": ("x", {"Join": f"{victim.call_id};{tags}"}),
        "its Call-ID": ("x", {"Call-ID": victim.call_id}),
        "its Call-ID and tag": ("x", {"Call-ID": victim.call_id, "To": "<sip:x@127.0.0.1>;tag=a"}),
        "forged lines": (f"x%0AAction%3A%20conference-destroy%0AConference-Name%3A%20{victim.conference_sid}", {}),
        "forged name": ("x", {"From": f'"a%0AAction: kick-member%0AUnique-ID: {victim.uuid}" <sip:a@b>;tag=c'}),
        "an answer without us": ("x", {"Call-Info": "<sip:x>;answer-after=0", "Alert-Info": "auto-answer"}),
        "a trusted name": ("x", {"P-Asserted-Identity": "<sip:+15550009999@127.0.0.1>", "X-Trusted": "true"}),
        "a variable": ("${hupall()}", {"X-FS-Support": "update_display,send_info", "X-a": "${hupall()}"}),
    }


REQUESTS: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("REGISTER", {}),
    ("SUBSCRIBE", {"Event": "conference", "Expires": "60"}),
    ("SUBSCRIBE", {"Event": "dialog", "Expires": "60"}),
    ("PUBLISH", {"Event": "presence"}),
    ("MESSAGE", {"Content-Type": "text/plain"}),
    ("NOTIFY", {"Event": "check-sync", "Subscription-State": "active"}),
    ("REFER", {"Refer-To": "<sip:+15550001000@127.0.0.1>"}),
    ("INFO", {}),
    ("UPDATE", {}),
    ("BYE", {}),
    ("CANCEL", {}),
    ("OPTIONS", {}),
)
HARMLESS: Final = ("OPTIONS", "MESSAGE", "NOTIFY", "INFO")
"""What a stranger may be told 200 to: nothing follows from it."""


@dataclass
class Strangers:
    """Attackers around one stack with a real switch. `victims` is kept up by who runs the round."""

    stack: Stack
    account: Account
    ledger: Ledger
    victims: Sequence[Victim] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        assert isinstance(self.stack.switch, RealSwitch)
        self.node = self.stack.switch
        self._target = ("127.0.0.1", self.node.sip_port)
        self._turn = itertools.count()
        self._third_before = 0
        self._trap = Agent()
        self._agents = [Agent(host="127.66.0.1"), Agent(host="127.66.0.2", transport="tcp")]
        self._callee = RtpPort(self._trap.host)
        self._caller, self._third, self._sprayer = (RtpPort(f"127.66.0.{last}") for last in (1, 2, 3))
        self._open = ExitStack()
        for agent in (self._trap, *self._agents):
            self._open.enter_context(agent)
        for port in (self._caller, self._callee, self._third, self._sprayer):
            self._open.enter_context(port)

    def close(self) -> None:
        self._open.close()

    def steps(self) -> dict[str, Callable[[], object]]:
        return {"inviter": self.invite, "redirector": self.lead_elsewhere, "sprayer": self.spray}

    # ------------------------------------------------------------ strangers' requests

    def invite(self) -> None:
        """One INVITE of each kind at one call, over UDP or TCP, and one other request."""
        if not self.victims:
            return
        turn = next(self._turn)
        victim, agent = self.victims[turn % len(self.victims)], self._agents[turn % 2]
        for name, (user, headers) in invites(victim).items():
            uri = f"sip:{user}@{self.node.sip_host}"
            body = sdp(self._caller.host, self._caller.port)
            sent = {"Call-ID": secrets.token_hex(8)} | dict(headers)
            final = agent.ask(self._target, "INVITE", uri, sent, body, ANSWER_SECONDS)
            self.ledger.note("strangers' INVITEs")
            if final is not None and 200 <= final.status < 300:
                self.ledger.hole(f"INVITE ({name}) is answered with {final.status}")
                self._enjoy(agent, final, uri, sent)
        method, headers = REQUESTS[turn % len(REQUESTS)]
        given = dict(headers) | ({"Call-ID": victim.call_id} if turn % 3 else {})
        final = agent.ask(self._target, method, f"sip:x@{self.node.sip_host}", given, "", ANSWER_SECONDS)
        self.ledger.note("other requests of strangers")
        if final is not None and final.status < 300 and method not in HARMLESS:
            self.ledger.hole(f"{method} of a stranger is answered with {final.status}")

    def _enjoy(self, agent: Agent, answer: Message, uri: str, sent: Mapping[str, str]) -> None:
        """In a call: speak, listen, hang up."""
        before = len(self._caller.packets)
        if answer.body:
            self._caller.speak([media_of(answer)], ATTACK_HZ, SPEAK_SECONDS)
        if self._hears_people(self._caller, before):
            self.ledger.hole("a stranger's call hears people")
        inside = {"Call-ID": sent["Call-ID"], "To": answer.header("to"), "From": answer.header("from"), "CSeq": "2 BYE"}
        agent.ask(self._target, "BYE", uri, inside, "", ANSWER_SECONDS)

    def _hears_people(self, ear: RtpPort, since: int) -> bool:
        samples = ear.samples(since)
        return len(samples) >= LEAST_SAMPLES and any(
            level(samples, tone_hz(victim.number)) > HEARD_DBFS for victim in self.victims
        )

    # ------------------------------------------------------------ called parties

    def lead_elsewhere(self) -> None:
        """The tenant dials somebody of hers, who wants the call made elsewhere, moves it when it is up, or has its
        sound sent to a third host."""
        turn = next(self._turn)
        elsewhere = {"Contact": f"<{self._trap.uri}>"}
        status = (300, 301, 302, 305, 380)[turn % 5]
        self._be_called(f"{status}", lambda _: [Reply(status, elsewhere)])
        answer = answers(self._callee.host, self._callee.port)
        self._be_called("REFER", answer, then=("REFER", {"Refer-To": f"<{self._trap.uri}>"}))
        if self.victims:
            victim = self.victims[turn % len(self.victims)]
            replaces = f"<{self._trap.uri}?Replaces={victim.call_id}%3Bto-tag%3Da%3Bfrom-tag%3Db>"
            self._be_called("REFER with Replaces", answer, then=("REFER", {"Refer-To": replaces}))
        self._be_called("SDP", answers(self._third.host, self._third.port))
        if self._third.packet_count > self._third_before:
            self._third_before = self._third.packet_count
            self.ledger.hole("RTP is sent to a third host")

    def _be_called(
        self, name: str, answer: Callable[[Message], Sequence[Reply]], then: tuple[str, Mapping[str, str]] | None = None
    ) -> None:
        before, since = self._trap.count("INVITE"), len(self._callee.packets)
        people = f"{self.stack.base_url}/2010-04-01/Accounts/{self.account.sid}/Conferences/led/Participants"
        with Agent(answer) as callee:
            # Silence, not music: its notes are those of the victims.
            form = {"From": "+15550009999", "To": callee.uri, "Timeout": "5", "WaitUrl": "", "Beep": "false"}
            made = requests.post(f"{people}.json", data=form, auth=self.account.auth, timeout=10)
            self.ledger.note("called parties that lead elsewhere")
            if made.status_code != 201:
                self.ledger.note(f"of them refused with {made.status_code}")
                return
            _soon(lambda: callee.count("INVITE") > 0, ANSWER_SECONDS)
            if then is not None and callee.dialogs:
                callee.dialog().request(callee, *then)
            _soon(lambda: self._trap.count("INVITE") > before, ANSWER_SECONDS / 2)
            requests.delete(f"{people}/{made.json()['call_sid']}.json", auth=self.account.auth, timeout=10)
        if self._trap.count("INVITE") > before:
            self.ledger.hole(f"{name} of a called party is followed")
        if self._hears_people(self._callee, since):
            self.ledger.hole(f"a called party hears another conference after its {name}")

    # ------------------------------------------------------------ media

    def spray(self) -> None:
        """A tone at all ports, and for longer at those in use: nobody hears it, and nothing comes back.

        A switch that looks for the sender of a call's media does so in its first moments: then every port gets more
        packets in a row than it takes to convince it.
        """
        since = len(self._sprayer.packets)
        frames = tone_frames(ATTACK_HZ)
        for port in self.node.rtp_ports[::2]:
            for frame in frames[:CONVINCING]:
                self._sprayer.send(("127.0.0.1", port), frame)
        used = [("127.0.0.1", victim.rtp_port) for victim in self.victims]
        if used:
            self._sprayer.speak(used, ATTACK_HZ, SPEAK_SECONDS)
        self.ledger.note(
            "packets of RTP",
            len(self.node.rtp_ports[::2]) * CONVINCING + len(used) * round(SPEAK_SECONDS / FRAME_SECONDS),
        )
        if len(self._sprayer.packets) > since:
            self.ledger.hole("a spray of RTP is answered")
        if self._hears_people(self._sprayer, since):
            self.ledger.hole("a spray of RTP hears people")


def _soon(probe: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to pass."""
    try:
        return eventually(probe, "", seconds)
    except AssertionError:
        return False
