"""Writes of the billing room."""
