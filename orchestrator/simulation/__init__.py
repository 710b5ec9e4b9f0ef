"""The core in virtual time: real use-cases and SQL, everything around them made up from one seed."""
