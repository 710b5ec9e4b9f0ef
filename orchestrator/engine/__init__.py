"""The use-cases, one verb a file. Each opens its own transactions and returns its follow-ups."""
