"""Money: payment methods, charges, proration, refunds. Knows no subscription."""
