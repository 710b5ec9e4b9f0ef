"""The Celery door: messages in, use-cases called, follow-ups sent."""
