"""Runs work on RQ: the worker, and the jobs that say that lanes of some kind are ready."""
