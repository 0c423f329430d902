"""A simulated FreeSWITCH: its event socket, its originate, its conferences, and phones that follow a script.

It copies what FreeSWITCH 1.10.12 was seen to do, for people who have none and for tests; no sound is made.
`server.py` is the way in, `phones.py` says which number does what, `embedded_redis.py` is a Redis to go with it.
"""
