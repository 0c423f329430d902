"""Real programs that the tests start: FreeSWITCH, and a second one that plays the phones."""
