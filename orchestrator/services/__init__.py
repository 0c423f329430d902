"""What clients ask for: a record of what they want, then a command for the switch; and the reads."""
