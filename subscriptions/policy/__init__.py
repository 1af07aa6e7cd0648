"""The rules: facts in, a decision with its quotes out. No Django, no clock."""
