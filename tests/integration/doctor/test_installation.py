"""The checks of settings and machine: each is seen to fail where the very thing it looks for is broken."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from connector.doctor import CHECKS, Verdict, examining, machine
from connector.doctor.premises import Premises
from connector.event_types import Outcome
from connector.store.inbox import Settled
from connector.store.vault import generate_key
from tests.integration.doctor.conftest import Installed
from tests.integration.web.conftest import free_port

FAILURE, WARNING, OK, SKIPPED = Verdict.FAILURE, Verdict.WARNING, Verdict.OK, Verdict.SKIPPED
DONE = Settled(Outcome.CREATED)


def test_nothing_fails_in_a_healthy_installation(installed: Installed) -> None:
    connection = installed.connect()
    installed.accept(connection, DONE)
    findings = installed.examined()
    assert [finding for finding in findings if finding.verdict is FAILURE] == []
    warned = {finding.check for finding in findings if finding.verdict is WARNING}
    assert warned == {"base_url", "public_url"}
    assert len(findings) >= 25


def test_there_are_names_for_all_and_no_two_alike() -> None:
    names = [check.__name__ for check in (*CHECKS, *examining.OF_CONNECTIONS)]
    assert len(names) == len(set(names)) >= 25


def test_wrong_settings_are_all_named_and_skip_the_rest(installed: Installed) -> None:
    installed.environment |= {"CONNECTOR_THREADS": "no", "CONNECTOR_ADMIN_TOKEN": "canary"}
    findings = {finding.check: finding for finding in installed.examined()}
    said = findings.pop("settings")
    assert said.verdict is FAILURE
    assert "CONNECTOR_THREADS" in said.seen
    assert "CONNECTOR_ADMIN_TOKEN" in said.seen
    assert "canary" not in said.seen
    assert {finding.verdict for name, finding in findings.items() if name != "unknown_settings"} <= {OK, SKIPPED}


def test_a_misspelt_variable_is_found_with_its_right_name(installed: Installed) -> None:
    installed.environment["CONNECTOR_BASEURL"] = "https://example.com"
    said = installed.said("unknown_settings")
    assert said.verdict is WARNING
    assert said.seen == "Nothing reads CONNECTOR_BASEURL (did you mean CONNECTOR_BASE_URL?)."


def test_every_variable_of_the_example_is_known(installed: Installed) -> None:
    example = (Path(__file__).parents[3] / "config/example.env").read_text()
    names = {line.partition("=")[0].lstrip("#") for line in example.splitlines() if line.startswith("#CONNECTOR_")}
    installed.environment |= dict.fromkeys(names - installed.environment.keys(), "")
    assert installed.said("unknown_settings").verdict is OK


@pytest.mark.parametrize(("token", "verdict"), [("", WARNING), ("a" * 30, FAILURE)])
def test_an_admin_token_that_is_missing_or_weak(installed: Installed, token: str, verdict: Verdict) -> None:
    installed.environment["CONNECTOR_ADMIN_TOKEN"] = token
    assert installed.said("admin_token").verdict is verdict


@pytest.mark.parametrize(
    ("url", "verdict"),
    [("http://127.0.0.1:8000", WARNING), ("http://hooks.example.com", FAILURE), ("https://hooks.example.com", OK)],
)
def test_the_public_address_is_https(installed: Installed, url: str, verdict: Verdict) -> None:
    from connector.doctor import configuration  # noqa: PLC0415 - examined alone: nothing is to be called

    premises = Premises(installed.environment | {"CONNECTOR_BASE_URL": url})
    assert configuration.base_url(premises).verdict is verdict
    guard = configuration.metrics_guard(premises)
    assert guard.verdict is (OK if "127" in url else WARNING)
    premises = Premises(installed.environment | {"CONNECTOR_BASE_URL": url, "CONNECTOR_METRICS_TOKEN": "m" * 24})
    assert configuration.metrics_guard(premises).verdict is OK


def test_a_malformed_encryption_key_is_told_and_not_shown(installed: Installed) -> None:
    installed.environment["CONNECTOR_ENCRYPTION_KEYS"] = "canary"
    said = installed.said("encryption_keys")
    assert said.verdict is FAILURE
    assert "canary" not in said.seen
    assert installed.said("stored_secrets").verdict is SKIPPED


def test_a_key_file_is_a_word_of_warning_and_is_never_made(installed: Installed) -> None:
    del installed.environment["CONNECTOR_ENCRYPTION_KEYS"]
    assert installed.said("encryption_keys").verdict is WARNING
    assert installed.said("key_kept_apart").verdict is WARNING
    assert not (installed.directory / "encryption.key").exists()


def test_rules_that_cannot_be_used(installed: Installed) -> None:
    rules = installed.directory / "rules.toml"
    rules.write_text("[[rules]")
    installed.environment["CONNECTOR_RULES"] = str(rules)
    assert installed.said("rules_file").verdict is FAILURE


def test_a_mapping_that_cannot_be_used(installed: Installed) -> None:
    (installed.directory / "wrong.toml").write_text("name = 1")
    installed.environment["CONNECTOR_MAPPINGS"] = str(installed.directory)
    assert installed.said("mapping_files").verdict is FAILURE


def test_alerts_that_go_nowhere_or_cannot_be_signed(installed: Installed) -> None:
    del installed.environment["CONNECTOR_ALERT_SLACK_URL"]
    assert installed.said("alert_sinks").verdict is WARNING
    installed.environment |= {
        "CONNECTOR_ALERT_WEBHOOK_URL": "https://example.com",
        "CONNECTOR_ALERT_WEBHOOK_SECRET": "canary",
    }
    said = installed.said("alert_sinks")
    assert said.verdict is FAILURE
    assert "canary" not in said.seen


def test_an_answer_that_waits_too_long(installed: Installed) -> None:
    installed.environment["CONNECTOR_RESPOND_WITHIN"] = "30"
    assert installed.said("answer_wait").verdict is WARNING


def test_an_extra_that_is_missing(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.doctor.configuration.find_spec", lambda _name: None)
    installed.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    said = installed.said("extras")
    assert said.verdict is FAILURE
    assert said.fix == "Run: pip install 'metric-connector[otel]'"


def test_a_python_that_is_too_old(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (4, 0))
    assert installed.said("version").verdict is FAILURE


@pytest.mark.parametrize(("free", "verdict"), [(10**7, FAILURE), (5 * 10**8, WARNING), (10**12, OK)])
def test_a_disk_that_fills(installed: Installed, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    assert installed.said("disk_space").verdict is verdict


def test_a_database_that_others_can_read(installed: Installed) -> None:
    (installed.directory / "connector.db").chmod(0o644)
    said = installed.said("file_modes")
    assert said.verdict is FAILURE
    assert said.fix == f"Run: chmod 600 {installed.directory}/connector.db"


def test_a_key_file_that_others_can_read(installed: Installed) -> None:
    del installed.environment["CONNECTOR_ENCRYPTION_KEYS"]
    key = installed.directory / "encryption.key"
    key.write_text(generate_key())
    key.chmod(0o640)
    assert str(key) in installed.said("file_modes").seen


def test_a_database_on_a_network_file_system(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_file_system", lambda _path: "nfs4")
    assert installed.said("local_disk").verdict is FAILURE


@pytest.fixture
def other_service() -> Iterator[str]:
    app = Request.application(lambda _request: Response("<h1>It works!</h1>"))
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_public_address_that_leads_to_another_service(installed: Installed, other_service: str) -> None:
    installed.environment["CONNECTOR_BASE_URL"] = other_service
    assert installed.said("public_url").verdict is FAILURE


def test_a_public_address_where_nobody_listens(installed: Installed) -> None:
    installed.environment["CONNECTOR_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    assert installed.said("public_url").verdict is WARNING


def test_a_certificate_that_is_refused_or_ends_soon(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl  # noqa: PLC0415

    premises = Premises(installed.environment | {"CONNECTOR_BASE_URL": "https://localhost:1"}, lambda: installed.now)
    plain, other = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: plain)

    class Context:
        refused = False

        def wrap_socket(self, sock: socket.socket, server_hostname: str) -> Context:
            if self.refused:
                error = ssl.SSLCertVerificationError()
                error.verify_message = "self-signed certificate"
                raise error
            return self

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Jan  1 00:00:00 2030 GMT"}

    monkeypatch.setattr(ssl, "create_default_context", Context)
    installed.now = ssl.cert_time_to_seconds("Dec 31 00:00:00 2029 GMT")
    assert machine.certificate(premises).verdict is WARNING
    Context.refused = True
    said = machine.certificate(premises)
    assert said.verdict is FAILURE
    assert "self-signed certificate" in said.seen
    other.close()


def test_a_proxy_whose_certificates_are_not_there(installed: Installed) -> None:
    installed.environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}
    assert installed.said("proxy").verdict is FAILURE


def test_running_as_root(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert installed.said("root").verdict is WARNING
