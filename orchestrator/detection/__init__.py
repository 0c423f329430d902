"""Who picked up: a person, a machine or a fax."""
