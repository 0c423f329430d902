"""Sends requests to URLs that clients have named: only to addresses that are allowed, whatever DNS says."""
