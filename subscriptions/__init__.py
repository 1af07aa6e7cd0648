"""What a tenant has and how it ends: directory, policy, cancellations."""
