"""The crash and fault harness: real processes, killed at any moment, that must lose nothing and double nothing.

It knows the connector from outside: its commands, its webhooks, its tables. See docs/explanation/chaos.md.
"""
