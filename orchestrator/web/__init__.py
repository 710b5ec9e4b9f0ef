"""The HTTP doors, each a Starlette application that can be served alone."""
