"""The submission to LaunchDarkly's integration framework: its values, their rules, its files.

Stands alone: it must never know the rooms that turn webhooks into metrics.
"""
