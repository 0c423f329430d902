"""Documents that may come from a WaitUrl, HoldUrl or AnnounceUrl. Pure: no network, no Redis, no clock."""
