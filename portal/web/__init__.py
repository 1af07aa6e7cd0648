"""Pages: sign-in, the list of subscriptions, receipts. Everything else is the GraphQL API's."""
