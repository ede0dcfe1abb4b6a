"""Google Cloud Functions looks for a function's entry point in this file."""  # noqa: INP001 - Google reads it as a file

from connector.serverless import google_sweep as sweep
from connector.serverless import google_webhook as webhook

__all__ = ["sweep", "webhook"]
