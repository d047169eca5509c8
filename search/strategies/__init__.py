"""Search strategies, one file each; all are `search.core.strategy.Strategy`."""
