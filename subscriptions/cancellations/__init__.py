"""Canceling, undoing, and what follows: evidence, receipts, mail, money that changes later."""
