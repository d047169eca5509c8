"""Evaluators, `(points int32 [n, L]) -> metrics {name: [n]}`: what is known of a point once it is paid for."""
