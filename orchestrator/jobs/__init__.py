"""RQ's side: the worker, and jobs that say that lanes of some kind are ready."""
