"""What the switch tells: events become facts, and what follows from a fact is done on the switch."""
