"""From the files that a switch writes to what clients fetch: processing, keeping, serving; and what clients ask for."""
