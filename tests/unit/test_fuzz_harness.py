"""The fuzzer finds what it is there to find: a harness that is blind would report no defect for ever."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.partners.payload import decode
from connector.signatures import HmacScheme, hmac_scheme, standard_webhooks, tokens
from fuzz import fast, targets
from fuzz.__main__ import main
from fuzz.choices import Seeded
from fuzz.dialects import dialects
from fuzz.findings import judge, replay
from fuzz.reports import Report
from fuzz.targets import ALTERED, EXCEPTIONS, FAULTS, FORGERIES, LISTED, PLANNED, READ, VERIFIED

HOLES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "every signature fits": (hmac_scheme, "matches_any", lambda expected, _: bool(list(expected))),
    "half a signature fits": (
        hmac_scheme,
        "matches_any",
        lambda expected, offered: bool({each[:9] for each in expected} & {each[:9] for each in offered}),
    ),
    "a request of any age": (standard_webhooks, "check_age", lambda *_: None),
    "the sender chooses the algorithm": (tokens, "check_pinned", lambda *_: None),
    "a public key as shared secret": (
        hmac_scheme,
        "literal_key",
        lambda secret: secret.strip().encode("utf-8", "replace"),
    ),
    "an id that is not signed": (standard_webhooks, "_message", lambda _, timestamp, body: timestamp.encode() + body),
    "a whole batch by its first event": (HmacScheme, "_covered", lambda _, body: body[:40]),
}


def run(target: str, runs: int, findings: Path, seed: int = 1) -> dict[str, int]:
    choices, tally = Seeded(seed), dict[str, int]()
    for _ in range(runs):
        judge(target, choices, tally, findings)
    return tally


def test_hostile_requests_end_in_declared_outcomes(tmp_path: Path) -> None:
    report = fast.run_share(1, 4000, None, tmp_path)
    assert (report.requests, report.defects, list(tmp_path.iterdir())) == (4000, 0, [])
    assert {VERIFIED, ALTERED, "signature_mismatch", "timestamp_too_old"} <= set(report.tallies["verify"])
    assert {READ, PLANNED, "payload_refused", "body_not_json"} <= set(report.tallies["read"])
    assert {LISTED, "payload_refused", "body_not_json"} <= set(report.tallies["list"])


def test_the_same_seed_makes_the_same_requests(tmp_path: Path) -> None:
    assert (
        run("read", 200, tmp_path, seed=5) == run("read", 200, tmp_path, seed=5) != run("read", 200, tmp_path, seed=6)
    )


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_in_a_verifier_is_found_and_its_request_kept(
    hole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialects()  # whose own requests are signed before there is a hole
    monkeypatch.setattr(*HOLES[hole])
    assert run("verify", 6000, tmp_path)[FORGERIES]
    kept = next(path for path in tmp_path.iterdir() if json.loads(path.read_text())["what"] == "accepted a forgery")
    assert replay(kept).startswith("Verified(")
    monkeypatch.undo()
    assert not replay(kept).startswith("Verified(")


@pytest.mark.parametrize("target", ["read", "list"])
def test_an_undeclared_error_is_found_and_its_body_kept(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes) -> Any:
        return decode(body)["absent"]

    monkeypatch.setattr(targets, "decode", broken)
    assert run(target, 100, tmp_path)[EXCEPTIONS]
    kept = json.loads(next(tmp_path.iterdir()).read_text())
    assert kept["target"] == target
    assert base64.b64decode(kept["body"], validate=True)
    assert "in broken" in kept["traceback"]


def test_a_fault_of_the_fuzzer_itself_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "hostile_body", lambda *_: 1 / 0)
    assert run("read", 3, tmp_path) == {"requests": 3, FAULTS: 3}
    assert "ZeroDivisionError" in json.loads(next(tmp_path.iterdir()).read_text())["traceback"]


@pytest.mark.parametrize(("tally", "exit_code"), [({}, 0), ({EXCEPTIONS: 1}, 1), ({FORGERIES: 2}, 1), ({FAULTS: 1}, 1)])
def test_the_command_fails_if_anything_was_found(
    tally: dict[str, int], exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report({"verify": {"requests": 7, **tally}}, seconds=2)
    monkeypatch.setattr(fast, "run", lambda *_: report)
    result = CliRunner().invoke(main, ["--mode", "fast"])
    assert result.exit_code == exit_code, result.output
    assert f"7 requests, {sum(tally.values())} with a defect" in result.output
