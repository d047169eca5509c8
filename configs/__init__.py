"""Configs: one dated recipe a file, plain values, nothing of ours imported."""
