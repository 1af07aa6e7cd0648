"""Writes: one public function per mutation. Lock, decide, write, audit, in one durable transaction.

Locks are taken in one order: the subscription, the callback desk, then the tenant's audit head.
"""
