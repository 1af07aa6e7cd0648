"""Does everything about the money add up? What stands open, and what moved in a window of time, compared.

One module for each concern, each with a function for each kind of finding (kinds.py). runs.py does them in pieces.
"""
