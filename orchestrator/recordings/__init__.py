"""Turns the files that a switch writes into what clients fetch: processing, keeping, serving; and what clients ask
for."""
