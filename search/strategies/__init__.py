"""Search strategies, one file each; all are `search.strategy.Strategy`."""
