"""How long tests wait for what must come."""

LONG = 120.0  # seconds; what takes longer has gone wrong, on the busiest machine
