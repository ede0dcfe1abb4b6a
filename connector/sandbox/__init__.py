"""A stand-in for LaunchDarkly's REST API that behaves like it: for demos, tests, load and fault runs.

It is a peer of the connector and knows nothing of it. Where LaunchDarkly's documentation is silent, the module that
had to choose says what it chose.
"""

from connector.sandbox.app import create_sandbox
from connector.sandbox.config import ApiKey, Role, SandboxConfig
from connector.sandbox.faults import Fault, FaultKind
from connector.sandbox.limits import Limits
from connector.sandbox.server import serve

__all__ = ["ApiKey", "Fault", "FaultKind", "Limits", "Role", "SandboxConfig", "create_sandbox", "serve"]
