"""The floor: gevent and urllib3 posting the same bodies, with no queue, state or memory."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent patches first
import sys  # noqa: E402
import time  # noqa: E402
from urllib.parse import urlencode  # noqa: E402

import urllib3  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from tests.bench.deliveries import parameters  # noqa: E402

url, count = sys.argv[1], int(sys.argv[2])
pool = urllib3.PoolManager(maxsize=256, retries=False)
headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


def post(number: int) -> None:
    body = urlencode(parameters("CF" + "0" * 32, number))
    pool.request("POST", url, body=body, headers=headers)


workers = Pool(300)
started = time.monotonic()
workers.map(post, range(count))
print(json.dumps({"rate": count / (time.monotonic() - started)}))
