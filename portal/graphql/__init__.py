"""The GraphQL door: parse, one call to one service or selector, translate. Types and mutations by noun."""
