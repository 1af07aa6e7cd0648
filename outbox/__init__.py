"""Effects that happen after the commit. Knows no business, and nothing in the house has such an effect yet.

The room is here so that its direction is kept from the first commit: refunds are promised (HELD, PENDING) in
the transaction that cancels; sending them out, and sending mail, is what moves in here.
"""
