"""A way to Redis that loses an answer: the command was done, and its sender never hears so."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable


class LossyProxy:
    """Passes everything on to Redis, until it is told to cut the next answer off."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.lose_next: Callable[[bytes], bool] = lambda request: False
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        """A long request comes in pieces, so neither side waits for the other."""
        is_losing = False
        with near, socket.create_connection(("127.0.0.1", self._upstream)) as far:
            while True:
                ready, _, _ = select.select([near, far], [], [])
                if near in ready:
                    request = near.recv(1 << 20)
                    if not request:
                        return
                    if self.lose_next(request):
                        self.lose_next, is_losing = lambda _: False, True
                    far.sendall(request)
                if far in ready:
                    reply = far.recv(1 << 20)
                    if is_losing:
                        self.lost += 1
                    if is_losing or not reply:
                        return
                    near.sendall(reply)

    def close(self) -> None:
        self._listener.close()
