"""Lampwork beside its peers: equal work, equal durability, one run. See docs/benchmarks.md."""
