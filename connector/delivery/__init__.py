"""Delivery: brings what the inbox holds to LaunchDarkly, once, whatever fails on the way."""

from connector.delivery.applying import Applier, Clients
from connector.delivery.runner import EmbeddedRunner, Runner

__all__ = ["Applier", "Clients", "EmbeddedRunner", "Runner"]
