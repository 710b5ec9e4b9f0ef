"""The database: every SQL statement of the project lives in this package, one file per noun."""
