"""The benchmark's tables, for the contestants that use the ORM."""
