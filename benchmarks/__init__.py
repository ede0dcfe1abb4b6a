"""How fast the connector is, beside what an engineer would compare it with. Run by `python -m benchmarks`."""
