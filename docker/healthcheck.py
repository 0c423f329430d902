"""The image's HEALTHCHECK: exit status 0 if this container is well.

One image runs several commands. The API answers at its own port, listener, worker and detector at HEALTH_BIND: each
from the loop that does the work, so one that hangs does not answer. Waiting for Redis or a node is no illness: whether
the nodes are followed is what `/readyz` and `orchestrator check` say. One-shot commands are always well.
"""

import os
import pathlib
import sys
import urllib.request

# PID 1 is the command itself, or Docker's init with the command among its arguments.
arguments = pathlib.Path("/proc/1/cmdline").read_bytes().split(b"\0")
SERVED = {
    b"api": "ORCHESTRATOR_BIND",
    b"up": "ORCHESTRATOR_BIND",
    b"console": "CONSOLE_BIND",
    b"listen": "HEALTH_BIND",
    b"work": "HEALTH_BIND",
    b"detect": "HEALTH_BIND",
}
bind = next((os.environ.get(SERVED[word], "") for word in arguments if word in SERVED), "")
if bind:
    port = bind.rpartition(":")[2]
    # A proxy meant for callbacks must not get this request.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/healthz", timeout=3).close()
    except OSError as error:
        sys.exit(f"{error}")
