"""Tasks that happen after the commit: rows, leases, the worker. Knows no business."""
