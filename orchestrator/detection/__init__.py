"""Finds out who picked up: a person, a machine or a fax."""
