"""The sync document over HTTP. What becomes of it is in subscriptions/directory."""
