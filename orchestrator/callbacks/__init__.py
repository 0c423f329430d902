"""What clients are told: planned with the state (plan), kept in the outbox, delivered by RQ workers (drain)."""
