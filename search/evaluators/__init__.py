"""Evaluators, `(points int32 [n, L]) -> metrics {name: [n]}`: what a paid evaluation tells of a point."""
