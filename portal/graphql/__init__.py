"""The GraphQL entry point: parse, one call to one service or selector, translate. Types and mutations by noun."""
