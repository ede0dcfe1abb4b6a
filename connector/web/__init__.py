"""The web: webhooks, health, and every error as a problem. It must never know how a change is applied."""
