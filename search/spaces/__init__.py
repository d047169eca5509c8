"""Search spaces, one file a benchmark; `load(directory)` reads its table where it has one."""
