"""Money that goes back: promised, sent, answered for, and priced again."""
