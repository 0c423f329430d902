"""Turns the switch's events into facts, and has the switch do what follows from them."""
