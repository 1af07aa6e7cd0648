"""Who comes in and how: sign-in, passwords, tokens, the organization's own sign-in, staff and their second factor."""
