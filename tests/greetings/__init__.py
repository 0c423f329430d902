"""Greetings of people, machines and faxes, generated from a seed: for measuring who is taken for whom."""
