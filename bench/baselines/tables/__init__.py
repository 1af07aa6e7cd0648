"""The benchmark's tables, for the baselines that use the ORM."""
