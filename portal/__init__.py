"""The entry point: settings, URLs, GraphQL, pages. No tables, no rules, no money."""
