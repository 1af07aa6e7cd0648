"""Reads: who sees which rows, and the frozen snapshots the policy decides on, each in a fixed number of queries."""
