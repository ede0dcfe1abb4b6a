"""`connector sandbox`: its flags become the sandbox's settings."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from connector.cli import sandbox as command
from connector.sandbox import ApiKey, Fault, FaultKind, Limits, Role, SandboxConfig


@pytest.fixture
def run(monkeypatch):
    served = []
    monkeypatch.setattr(command, "serve", lambda *arguments: served.append(arguments))

    def run_command(*arguments: str):
        return CliRunner().invoke(command.sandbox, arguments), served

    return run_command


def test_without_flags_it_serves_the_demo_project_on_this_machine(run):
    result, served = run()
    assert result.exit_code == 0
    assert served == [(SandboxConfig(), "127.0.0.1", 9100)]


def test_flags_become_settings(run):
    result, served = run(
        "--host", "::1", "--port", "0", "--project", "a", "--project", "b", "--api-key", "api-1",
        "--reader-key", "api-2", "--latency-ms", "20", "--fault", "error-503:0.1:post", "--fault", "reset:1",
        "--global-limit", "9", "--route-limit", "8", "--token-limit", "7", "--seed", "3",
        "--key-lifetime", "60",
    )  # fmt: skip
    assert result.exit_code == 0
    config = SandboxConfig(
        projects=("a", "b"),
        api_keys=(ApiKey("api-1"), ApiKey("api-2", Role.READER)),
        limits=Limits(9, 8, 7),
        faults=(
            Fault(FaultKind.LATENCY, seconds=0.02),
            Fault(FaultKind.ERROR_503, 0.1, "POST"),
            Fault(FaultKind.RESET),
        ),
        seed=3,
        key_lifetime=60,
    )
    assert served == [(config, "::1", 0)]


@pytest.mark.parametrize("fault", ["fire:1", "reset", "reset:often", "reset:2"])
def test_a_fault_that_is_none_is_a_misuse(run, fault):
    result, served = run("--fault", fault)
    assert (result.exit_code, served) == (2, [])
    assert "write KIND:PROBABILITY[:METHOD]" in result.output


def test_an_sdk_key_is_a_misuse(run):
    result, _ = run("--api-key", "sdk-1234")
    assert result.exit_code == 2
    assert "use an access token" in result.output
