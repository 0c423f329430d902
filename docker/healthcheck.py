"""The image's HEALTHCHECK: exit status 0 if this container is well.

One image runs several commands, and only the API has something to ask: its health path. The listener and the worker
listen on nothing, wait by design when Redis or a node is away, and exit when they cannot go on, which the restart
policy sees without a check. For these and for one-shot commands the answer is always "well"; whether the nodes are
followed is what `orchestrator check` says.
"""

import os
import pathlib
import sys
import urllib.request

# PID 1 is the command itself, or Docker's init with the command among its arguments.
arguments = pathlib.Path("/proc/1/cmdline").read_bytes().split(b"\0")
if b"api" in arguments or b"up" in arguments:
    port = os.environ["ORCHESTRATOR_BIND"].rpartition(":")[2]
    # A proxy meant for callbacks must not get this request.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/healthz", timeout=3).close()
    except OSError as error:
        sys.exit(f"{error}")
