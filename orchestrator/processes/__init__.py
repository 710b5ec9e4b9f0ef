"""Everything in one process: receiver, workers, timers, on a SQLite file and an in-memory broker."""
