"""The doctor: named checks of everything that an installation stands on, each with a verdict and its fix.

It works when things are broken, changes nothing, waits for nothing for ever, and must never show a secret.
"""

from connector.doctor.examining import CHECKS, examine
from connector.doctor.findings import Finding, Verdict

__all__ = ["CHECKS", "Finding", "Verdict", "examine"]
