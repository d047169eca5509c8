"""Choosing an architecture: spaces, strategies and evaluators; what is found, `scaling` scales and trains."""
