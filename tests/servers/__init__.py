"""PostgreSQL and Redis for the tests: what the environment names, or private ones that end with the tests."""
