"""Metric Connector: a partner's event types become LaunchDarkly metrics."""

__version__ = "0.1.0"
