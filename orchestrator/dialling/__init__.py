"""Where calls go out."""
