"""Redis. Verbs: load_, list_, save_, request_, commit_. docs/redis-schema.md is drawn from `schema.KEYS`."""
