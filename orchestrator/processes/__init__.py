"""What runs: everything in one process (`up`, `run`), or as several of web, worker and beat."""
