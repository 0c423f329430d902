"""make chaos: a crowd in the sandbox whose service is killed piece by piece; and people on a real switch, if there is
one, who are listened to. Both are attacked all the time.

At the end of each round every lane of callbacks has to be whole; at the end of all, no attacker may have got anything.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.bench.receiver_process import FastReceiver
from tests.chaos import crowd
from tests.chaos.intruder import Account, Intruder
from tests.chaos.ledger import Attackers, Ledger
from tests.chaos.mallory import Mallory
from tests.chaos.ring import Ring
from tests.chaos.strangers import Strangers
from tests.harness.freeswitch import find_freeswitch
from tests.harness.stack import RealSwitch, SandboxSwitch, Stack


@contextmanager
def running(stack: Stack) -> Iterator[Account]:
    """A stack with a second account, the attackers'."""
    account = Account("AC" + secrets.token_hex(16), secrets.token_hex(16))
    try:
        stack.start()
        stack.add_account(account.sid, account.token)
        yield account
    finally:
        stack.stop()


def play_crowd(
    stack: Stack, receiver: FastReceiver, account: Account, options: argparse.Namespace, number: int
) -> bool:
    """A round in the sandbox; whether nobody got anything."""
    ledger = Ledger()
    intruder, mallory = Intruder(stack, account, ledger), Mallory(stack, account, ledger)
    attacking = Attackers(intruder.steps() | mallory.steps())
    with closing(intruder), closing(mallory):
        attacking.start()
        try:
            line = crowd.play(stack, receiver, number, options.conferences, options.people)
        finally:
            attacking.stop()
    print(f"{line}; {ledger}", flush=True)
    return not ledger.holes


def play_ring(stack: Stack, account: Account, number: int) -> bool:
    """A round on a real switch; whether nobody got anything."""
    ledger = Ledger()
    with (
        closing(Intruder(stack, account, ledger)) as intruder,
        closing(Mallory(stack, account, ledger)) as mallory,
        closing(Strangers(stack, account, ledger)) as strangers,
    ):
        print(Ring(stack, (intruder, mallory, strangers), ledger).play(number), flush=True)
    return not ledger.holes


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--conferences", type=int, default=200, help="0: only the real switch")
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as directory, ExitStack() as open_until_the_end:
        folder = Path(directory)
        receiver = FastReceiver(folder)
        receiver.start()
        open_until_the_end.callback(receiver.stop)
        sandbox = Stack(SandboxSwitch(folder), folder / "crowd", workers=2)
        account = open_until_the_end.enter_context(running(sandbox))
        real = Stack(RealSwitch(folder / "switch"), folder / "ring", workers=2) if find_freeswitch() else None
        ring_account = open_until_the_end.enter_context(running(real)) if real is not None else account
        for number in range(1, options.rounds + 1):
            if options.conferences:
                held &= play_crowd(sandbox, receiver, account, options, number)
            if real is not None:
                held &= play_ring(real, ring_account, number)
    if real is None:
        print("no FreeSWITCH was found (FREESWITCH_BIN): nothing was attacked by SIP and RTP, and nothing was heard")
    print("attackers got nothing" if held else "ATTACKERS GOT SOMETHING: the holes are above")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
