"""The API (design 10): everything about jobs over HTTP, for their tenants and for users who come back."""
