"""Commands of the outbox room."""
