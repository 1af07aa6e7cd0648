"""What the API answers with and takes: one module per noun."""
