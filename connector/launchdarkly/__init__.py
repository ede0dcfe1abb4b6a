"""LaunchDarkly's REST API for metrics, one method per call.

This room must never know partners, policy, the database or the web; it makes a call once and says what came of it.
"""

from connector.launchdarkly.client import Call, LaunchDarkly, metric_url
from connector.launchdarkly.credentials import (
    BASE_URLS,
    DEFAULT_BASE_URL,
    CredentialRefused,
    check_api_key,
    check_base_url,
    check_oauth_token,
    least_privilege_policy,
)
from connector.launchdarkly.errors import (
    AnswerLost,
    ArchiveNotApplied,
    ConcurrentUpdate,
    Forbidden,
    Invalid,
    KeyExists,
    LaunchDarklyError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from connector.launchdarkly.expiry import expiry_of
from connector.launchdarkly.limits import Limit, Limits, parse_limits
from connector.launchdarkly.oauth import Grant, OAuthClient, OAuthRefused, OAuthRevoked, OAuthUnavailable
from connector.launchdarkly.renewing import Bearer, Renewing
from connector.launchdarkly.transport import pooled_session

__all__ = [
    "BASE_URLS",
    "DEFAULT_BASE_URL",
    "AnswerLost",
    "ArchiveNotApplied",
    "Bearer",
    "Call",
    "ConcurrentUpdate",
    "CredentialRefused",
    "Forbidden",
    "Grant",
    "Invalid",
    "KeyExists",
    "LaunchDarkly",
    "LaunchDarklyError",
    "Limit",
    "Limits",
    "NotFound",
    "OAuthClient",
    "OAuthRefused",
    "OAuthRevoked",
    "OAuthUnavailable",
    "RateLimited",
    "Renewing",
    "ServerError",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
    "check_api_key",
    "check_base_url",
    "check_oauth_token",
    "expiry_of",
    "least_privilege_policy",
    "metric_url",
    "parse_limits",
    "pooled_session",
]
