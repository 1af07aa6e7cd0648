"""How dates look and are read in the admin."""
