"""The GraphQL door: parse, one call to one service or selector, translate. One module per noun."""
