"""Pure rules: no Flask, Redis, sockets, clock or logging."""
