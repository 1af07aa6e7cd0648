"""What can be changed: one module per noun, each mutation with what it takes and what it answers."""
