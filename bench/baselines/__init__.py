"""The same reads, written with what a team would otherwise take."""
