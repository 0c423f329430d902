"""Tells clients what happens: callbacks are planned with the state (plan), kept in the outbox, and delivered by RQ
workers (drain)."""
