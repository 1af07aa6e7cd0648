"""Files that people have: each reader is a declaration of columns, and of what a row of them says. Pure."""
