"""Turns a WaitUrl, HoldUrl or AnnounceUrl into clips that a switch can play. Knows no switch and no participant."""
