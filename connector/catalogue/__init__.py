"""Catalogues: whole sets of event types, from a webhook or a list API, and what of them is new."""
