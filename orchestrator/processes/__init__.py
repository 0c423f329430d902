"""A module for each process that serves: what it is built of, and what it runs until SIGTERM or SIGINT."""
