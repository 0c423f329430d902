"""The floor: Flask under gunicorn and gevent, one greenswitch command in a route, nothing else."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - gevent patches first

from flask import Flask, request  # noqa: E402
from greenswitch import InboundESL  # noqa: E402
from gunicorn.app.base import BaseApplication  # noqa: E402

app = Flask(__name__)
connection: InboundESL


@app.get("/")
def health() -> str:
    return "ok"


@app.post("/<sid>/<member>")
def mute(sid: str, member: str) -> dict[str, str]:
    word = "mute" if request.form["Muted"] == "true" else "unmute"
    return {"reply": connection.send(f"api conference {sid} {word} {member}").data}


class Bare(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def load_config(self) -> None:
        self.cfg.set("bind", os.environ["BARE_BIND"])
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("loglevel", "warning")

    def load(self) -> Flask:
        global connection  # noqa: PLW0603 - a bare script
        host, port = os.environ["FREESWITCH_NODES"].partition("=")[2].split(":")
        connection = InboundESL(host=host, port=int(port), password=os.environ["FREESWITCH_PASSWORD"])
        connection.connect()
        return app


Bare().run()
