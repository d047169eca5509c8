"""Published tables, each made again by a function."""
