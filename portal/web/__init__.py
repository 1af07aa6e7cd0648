"""Middleware, pages without JavaScript, receipts, webhooks of providers, health, metrics."""
