"""From a WaitUrl, HoldUrl or AnnounceUrl to clips that a switch can play. Knows no switch and no participant."""
