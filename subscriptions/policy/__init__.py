"""The rules: facts in, a decision with its quotes out. Pure: no Django, no clock."""
