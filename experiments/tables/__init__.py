"""Published tables: what they print, by what convention, and ours beside it."""
