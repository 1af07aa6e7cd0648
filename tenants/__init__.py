"""Who is who and what was done: tenants, people, tokens, the audit trail."""
