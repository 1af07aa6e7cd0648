"""The sentences: what a decision, a quote or an outcome says to a person, in the active language.

Codes never change with the language; these do. The API, the admin and the receipt all read them from here.
"""
