"""What can go wrong with a call, as declared types that say what to do next.

Pure: must never know the transport or a secret. `retryable` and `ambiguous` are all that delivery has to look at.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from connector.launchdarkly.credentials import least_privilege_policy
from connector.launchdarkly.limits import Limits


class LaunchDarklyError(Exception):
    """A call that did not give what was asked.

    `code` is stable and ours. `status` and the `ld_` fields are LaunchDarkly's, `None` where there was no answer;
    `ld_id` is what LaunchDarkly Support asks for. `advice` is what a person should do next.
    `retryable`: the same call may succeed later, unchanged. `ambiguous`: the effect may have happened: read it back.
    Source: https://launchdarkly.com/docs/api#errors
    """

    code: ClassVar[str] = "launchdarkly_error"
    retryable: ClassVar[bool] = False
    ambiguous: ClassVar[bool] = False
    advice: str = ""
    status: int | None = None
    ld_code: str | None = None
    ld_message: str | None = None
    ld_id: str | None = None

    def __str__(self) -> str:
        sentence = super().__str__()
        if self.ld_message:
            sentence += f' LaunchDarkly says: "{self.ld_message}"'
        if self.ld_id:
            sentence += f" (LaunchDarkly id {self.ld_id})"
        return f"{sentence} {self.advice}".strip()


class Invalid(LaunchDarklyError):
    """400, 422, or a request that cannot even be formed: the same request will never succeed."""

    code = "launchdarkly_invalid"
    advice = "Correct what LaunchDarkly names, then replay the delivery."


class Unauthorized(LaunchDarklyError):
    """401: the token is wrong, expired, or belongs to another LaunchDarkly instance."""

    code = "launchdarkly_unauthorized"
    advice = (
        "Check that the token still exists and belongs to this LaunchDarkly instance (us, eu or federal), and set a "
        "new one if not."
    )


class Forbidden(LaunchDarklyError):
    """403: the token is good but may not do this."""

    code = "launchdarkly_forbidden"
    advice = "Give the token a role that may see the project and change its metrics."


class NotFound(LaunchDarklyError):
    """404. `missing` is `project` or `metric`, or `None` where the answer does not let us tell."""

    code = "launchdarkly_not_found"
    advice = "Check the project key, the metric key, and that the token may see the project."
    missing: str | None = None


class KeyExists(LaunchDarklyError):
    """409 `key_exists`: the project has a metric with that key, quite possibly from our own earlier call."""

    code = "launchdarkly_key_exists"
    advice = "Read that metric: adopt it if its event key is the same, else take another key."


class ConcurrentUpdate(LaunchDarklyError):
    """Any other 409: somebody else changed the same thing at the same time."""

    code = "launchdarkly_concurrent_update"
    advice = "Nothing: the call is repeated."
    retryable = True


class RateLimited(LaunchDarklyError):
    """429: refused without effect; `limits` says when to come back."""

    code = "launchdarkly_rate_limited"
    advice = "Nothing: the call is repeated when LaunchDarkly's window resets."
    retryable = True
    limits: Limits = Limits()


class ServerError(LaunchDarklyError):
    """5xx, from LaunchDarkly or a gateway before it."""

    code = "launchdarkly_server_error"
    advice = "Nothing: the call is settled by reading back. See https://status.launchdarkly.com if it lasts."
    retryable = True
    ambiguous = True


class Unreachable(LaunchDarklyError):
    """The request surely never left: no address, connection refused, connect time-out, TLS, proxy."""

    code = "launchdarkly_unreachable"
    advice = "Check the base URL, DNS, proxy and firewall of this host; the call is repeated."
    retryable = True


class AnswerLost(LaunchDarklyError):
    """The request may have arrived, but no usable answer came: time-out, reset, cut off, too large or not JSON."""

    code = "launchdarkly_answer_lost"
    advice = "Nothing: the call is settled by reading back."
    retryable = True
    ambiguous = True


class UnexpectedAnswer(LaunchDarklyError):
    """A redirect, another 4xx, or a list that contradicts itself: not LaunchDarkly's API as documented."""

    code = "launchdarkly_unexpected_answer"
    advice = "Check that the base URL is LaunchDarkly's own and that no proxy or login page stands before it."


class ArchiveNotApplied(LaunchDarklyError):
    """LaunchDarkly accepted the patch, but `archived` did not change; the metric is as it was."""

    code = "launchdarkly_archive_not_applied"
    advice = "Archive or restore the metric in LaunchDarkly by hand."


_LONGEST_TEXT = 500
_UNKNOWN_UNIT = re.compile(r'Randomization unit "([^"]*)" not found in project settings')


def refusal(
    status: int, answer: dict[str, Any], limits: Limits, *, project: str | None, metric: str | None
) -> LaunchDarklyError:
    """The declared error of an answer that is no success; `project` and `metric` are the keys that the call named."""
    ld_code, message = _text(answer.get("code")), _text(answer.get("message"))
    error = _kind(status, ld_code)(f"LaunchDarkly answered HTTP {status}.")
    error.status, error.ld_code, error.ld_message, error.ld_id = status, ld_code, message, _text(answer.get("id"))
    if isinstance(error, RateLimited):
        error.limits = limits
    elif isinstance(error, Forbidden) and project:
        error.advice = f"Give the token this inline policy: {least_privilege_policy(project)}"
    elif isinstance(error, NotFound):
        error.missing = _missing(message or "", project, metric)
        if error.missing == "project":
            error.advice = f'Check that the project key "{project}" is right and that the token may see the project.'
    elif unit := _UNKNOWN_UNIT.search(message or ""):
        error.advice = (
            f'In LaunchDarkly\'s project settings make the context kind "{unit[1]}" available for experiments, or give '
            "the connection analysis units that are."
        )
    return error


def _kind(status: int, ld_code: str | None) -> type[LaunchDarklyError]:
    if status == 409:
        return KeyExists if ld_code == "key_exists" else ConcurrentUpdate
    if status >= 500:
        return ServerError
    by_status: dict[int, type[LaunchDarklyError]] = {
        400: Invalid,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        422: Invalid,
        429: RateLimited,
    }
    return by_status.get(status, UnexpectedAnswer)


def _missing(message: str, project: str | None, metric: str | None) -> str | None:
    if metric is None:
        return "project" if project else None
    for key in (project, metric):
        message = message.replace(key or "", "")
    named = {word for word in ("project", "metric") if word in message.lower()}
    return named.pop() if len(named) == 1 else None


def _text(value: object) -> str | None:
    """A foreign text fit for logs and pages: one line, no control characters, bounded."""
    if not isinstance(value, str):
        return None
    printable = "".join(character if character.isprintable() else " " for character in value[: 4 * _LONGEST_TEXT])
    return " ".join(printable.split())[:_LONGEST_TEXT] or None
