"""Does what clients ask for: writes what they want, then sends the switch a command; and reads."""
