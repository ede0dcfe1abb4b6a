"""Every refusal of the API, with its status and code, in LaunchDarkly's shape. It knows no HTTP framework.

The shape and the meaning of each status: https://launchdarkly.com/docs/api#errors
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


def error_body(code: str, message: str) -> dict[str, str]:
    """An error as LaunchDarkly words it; `id` is what its Support asks for."""
    return {"code": code, "message": message, "id": str(uuid.uuid4())}


class ApiError(Exception):
    """A call that is answered with an error."""

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers

    def body(self) -> dict[str, str]:
        return error_body(self.code, self.message)


class InvalidRequestError(ApiError):
    status, code = 400, "invalid_request"


class UnauthorizedError(ApiError):
    status, code = 401, "unauthorized"


class ForbiddenError(ApiError):
    status, code = 403, "forbidden"


class NotFoundError(ApiError):
    status, code = 404, "not_found"


class KeyExistsError(ApiError):
    status, code = 409, "key_exists"


class PatchFailedError(ApiError):
    """A well-formed patch that cannot be applied to the metric as it stands (RFC 5789 section 2.2)."""

    status, code = 422, "patch_failed"


class RateLimitedError(ApiError):
    status, code = 429, "rate_limited"
