"""Requests judged, and what was found of them kept and seen again. It must never know how a request is made."""

from __future__ import annotations

import base64
import hashlib
import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.partners import PayloadRefused
from connector.partners.payload import NotJson, decode
from connector.signatures import SignatureRefused
from fuzz.choices import Choices
from fuzz.dialects import dialects
from fuzz.readers import listers, readers
from fuzz.reports import REQUESTS
from fuzz.targets import FAULTS, TARGETS, Finding, Tally

FINDINGS = Path(__file__).parent / "findings"


def judge(target: str, choices: Choices, tally: Tally, findings: Path) -> None:
    """One request to the target, counted; a finding is kept, if it is the first of its sort."""
    tally[REQUESTS] = tally.get(REQUESTS, 0) + 1
    try:
        TARGETS[target](choices, tally)
    except Finding as finding:
        _keep(finding, target, tally, findings)
    except Exception as error:  # noqa: BLE001 - it must neither end a run of hours nor go unseen
        told = {"traceback": "".join(traceback.format_exception(error))}
        _keep(Finding(FAULTS, type(error).__name__, "fuzzer", told), target, tally, findings)


def _keep(finding: Finding, target: str, tally: Tally, findings: Path) -> None:
    tally[finding.kind] = tally.get(finding.kind, 0) + 1
    digest = hashlib.sha256(str(finding).encode()).hexdigest()[:8]
    path = findings / f"{target}-{finding.subject.replace(' ', '-')}-{digest}.json"
    if not path.exists():
        findings.mkdir(exist_ok=True)
        content = {"target": target, "subject": finding.subject, "what": finding.what, **finding.details}
        path.write_text(json.dumps(content, indent=1))


def replay(path: Path) -> str:
    """What becomes of a kept input now: the value, or the declared error. Raises whatever else comes of it."""
    kept = json.loads(path.read_text())
    try:
        return repr(_again(kept, base64.b64decode(kept["body"])))
    except (SignatureRefused, NotJson, PayloadRefused) as refused:
        return f"{refused.code}: {refused}"


def _again(kept: Mapping[str, Any], body: bytes) -> object:
    if kept["target"] == "verify":
        dialect = next(each for each in dialects() if each.name == kept["subject"])
        if "message_id" in kept:
            return [signer.signed(body, kept["message_id"], kept["now"]) for signer in dialect.signers]
        return dialect.scheme.verify(body, kept["headers"], kept["secrets"], kept["now"])
    if kept["target"] == "read":
        reader = next(each for each in readers() if each.partner.name == kept["subject"])
        return reader.webhook.read(decode(body), {})
    lister = next(each for each in listers() if each.partner.name == kept["subject"])
    return lister.api.parse(decode(body), lister.asked, lister.credential)
