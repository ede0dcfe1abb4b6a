"""JSON Patch (RFC 6902) as LaunchDarkly takes it: what is a patch, and what it makes of a metric. Pure.

https://launchdarkly.com/docs/api#updates. LaunchDarkly does not document which refusal is which; here a body that is no
patch, or one whose result breaks a rule, is 400, and a patch that cannot be applied to the metric as it stands (a
missing target, a failed `test`) is 422. An absent field is `null` to a patch, so that `replace` may set it, as
LaunchDarkly's Terraform provider does.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from connector.sandbox import rules
from connector.sandbox.errors import InvalidRequestError, PatchFailedError
from connector.sandbox.rules import Metric

EDITABLE = (rules.FIELDS.keys() - set(rules.IMMUTABLE)) | {"archived", "isActive", "randomizationUnits"}


def parse(body: object) -> jsonpatch.JsonPatch:
    """The patch in a body: a bare array, or `{"comment", "patch"}`. Raises `InvalidRequestError`."""
    operations = body.get("patch") if isinstance(body, dict) else body
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise InvalidRequestError('the body must be a JSON Patch: an array of operations, or {"comment", "patch"}')
    try:
        return jsonpatch.JsonPatch(operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, ValueError) as error:
        raise InvalidRequestError(f"the body is not a JSON Patch: {error}") from error


def patched_fields(metric: Metric, patch: jsonpatch.JsonPatch) -> Metric:
    """The metric's editable fields after the patch. Raises `InvalidRequestError` or `PatchFailedError`."""
    document = dict.fromkeys(EDITABLE) | metric
    try:
        patched: Any = patch.apply(document)
    except jsonpatch.InvalidJsonPatch as error:
        raise InvalidRequestError(f"the body is not a JSON Patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise PatchFailedError(f"the patch cannot be applied: {error}") from error
    if not isinstance(patched, dict):
        raise InvalidRequestError("the patch replaces the whole metric")
    for field in metric.keys() - EDITABLE:
        if patched.get(field) != metric[field]:
            raise InvalidRequestError(f"{field} cannot be changed")
    return {field: patched.get(field) for field in EDITABLE}
