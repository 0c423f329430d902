"""A dialect is a language: requests in, answers and callbacks out. Each is a folder with the same file names, and a row
of `registry.py`; what its folder exports is described in `base.py`. `own` is our own API under /v1, and no dialect."""
