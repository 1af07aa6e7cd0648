"""What a tenant has and how it ends: policy, licenses, cancellations, callbacks."""
