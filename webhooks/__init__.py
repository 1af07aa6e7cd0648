"""Events to partners: endpoints, what is told them, and telling it until they heard."""
