"""What the API answers with and takes: one module per noun."""

import portal.graphql.types.enums  # noqa: F401 (before any type)
