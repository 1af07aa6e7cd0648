"""Who is in a tenant's directory and holds what: imports, removals, counts."""
