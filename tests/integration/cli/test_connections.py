"""`connector connections`: secrets are shown once, nothing is asked of a pipe, hostile names harm nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.store import connections, endpoints
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.vault import Vault

SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
CANARY = "api-canary-5f1d"
ADD = ("connections", "add", "--name", "Acme", "--project", "demo")
HOSTILE = {
    "markup": "[bold red]Acme[/] [link=http://x]",
    "emoji code": "a:smile:b",
    "emoji": "Acme 👩‍💻 🎉",
    "right to left": "\u202eemcA",
    "long": "n" * 10_000,
    "quotes": "A'c\"me $(reboot) `x`",
}

Run = Callable[..., Any]


@pytest.fixture
def credential(database: Database, environment: str) -> Callable[[str], str]:
    def read(connection_id: str) -> str:
        with database.read() as tx:
            return Vault([environment]).decrypt(connections.stored_credential(tx, connection_id))

    return read


class TestAdding:
    def test_it_prints_the_url_and_the_secret_once(self, connector: Run, database: Database, environment: str) -> None:
        said = connector(*ADD, stdin=f"{CANARY}\n")
        assert (said.exit_code, said.err) == (0, "")
        with database.read() as tx:
            (added,) = connections.listing(tx)
            (secret,) = endpoints.secrets(tx, Vault([environment]), added.endpoint_id, now=0)
        assert said.out == (
            f"Connection   {added.id} (Acme)\n"
            f"Webhook URL  http://127.0.0.1:8000/webhooks/{added.endpoint_id}\n"
            f"Secret       {secret}\n"
            "The secret is not shown again. Enter both at the partner, then:\n"
            f"connector connections test {added.id}\n"
        )
        later = "".join(
            connector("connections", *more).out
            for more in (("list",), ("list", "--json"), ("show", "Acme"), ("show", "Acme", "--json"))
        )
        assert secret not in later
        assert CANARY not in said.out + later

    def test_with_json_a_program_gets_the_same(self, connector: Run) -> None:
        added = connector(*ADD, "--json", "--secret", SECRET, stdin=CANARY).json
        assert added["secret"] == SECRET
        assert added["webhook_url"].endswith(added["endpoint_id"])
        assert (added["name"], added["state"]) == ("Acme", "active")
        shown = connector("connections", "show", added["id"], "--json").json
        assert shown == {name: value for name, value in added.items() if name != "secret"} | {"partner": "standard"}

    def test_the_key_comes_from_the_option_the_environment_or_the_pipe_in_this_order(
        self, connector: Run, monkeypatch: pytest.MonkeyPatch, credential: Callable[[str], str]
    ) -> None:
        def add(*more: str) -> str:
            return credential(connector(*ADD, "--json", *more, stdin="api-pipe\n").json["id"])

        assert add() == "api-pipe"
        monkeypatch.setenv("LAUNCHDARKLY_API_KEY", "api-environment")
        assert add() == "api-environment"
        assert add("--api-key", "api-option") == "api-option"

    def test_all_options_are_kept(self, connector: Run, tmp_path: Path) -> None:
        rules = tmp_path / "rules.toml"
        rules.write_text('[[rules]]\nmatch = "*"\nskip = true\n')
        added = connector(
            *ADD, "--json", "--base-url", "eu", "--shared", "--workspace", "ws_1", "--key-prefix", "acme-",
            "--tag", "a", "--tag", "b", "--maintainer", "a" * 24, "--analysis-unit", "user", "--rules", str(rules),
            "--on-delete", "delete", stdin=CANARY,
        ).json  # fmt: skip
        assert (added["base_url"], added["workspace"]) == ("https://app.eu.launchdarkly.com", "ws_1")
        assert added["options"] == {
            "key_prefix": "acme-",
            "tags": ["a", "b"],
            "maintainer_id": "a" * 24,
            "analysis_units": ["user"],
            "on_delete": "delete",
            "oauth": False,
            "rules": rules.read_text(),
        }
        more = connector(*ADD, "--endpoint", added["endpoint_id"], "--workspace", "ws_2", stdin=CANARY)
        assert (more.exit_code, "Secret " in more.out) == (0, False)

    @pytest.mark.parametrize(
        ("more", "stdin", "sentence"),
        [
            ((), "", "Give the LaunchDarkly API key"),
            ((), "\n", "Give the LaunchDarkly API key"),
            ((), "sdk-canary", "This is an SDK key"),
            (("--partner", "acme"), CANARY, "There is no partner 'acme'"),
            (("--secret", "canary"), CANARY, "secret"),
            (("--base-url", "http://example.com"), CANARY, "in the clear"),
            (("--shared",), CANARY, "needs its workspace"),
            (("--tag", "no spaces"), CANARY, "tag"),
            (("--name", "Ac\x1b[31mme"), CANARY, "control characters"),
        ],
    )
    def test_what_cannot_work_is_misuse_with_a_sentence(
        self, connector: Run, more: tuple[str, ...], stdin: str, sentence: str
    ) -> None:
        said = connector(*ADD, *more, stdin=stdin)
        assert (said.exit_code, said.out) == (2, "")
        assert sentence in said.err
        assert "canary" not in said.err
        assert connector("connections", "list", "--json").json == []


class TestShowing:
    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
    def test_a_hostile_name_breaks_no_table(
        self, connector: Run, connect: Callable[..., Connection], name: str
    ) -> None:
        added = connect(name)
        connect("Next")
        said = connector("connections", "list")
        assert said.exit_code == 0
        lines = said.out.splitlines()
        assert all(line.isprintable() for line in lines)
        assert max(len(line) for line in lines) <= 200
        assert sum(added.id in line for line in lines) == 1
        assert sum("Next" in line for line in lines) == 1
        seen = "".join(line.split("│")[2].strip() for line in lines if line.startswith("│"))
        assert name.translate({ord(character): "�" for character in "\u200d\u202e"}) in seen

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
    def test_it_is_found_and_shown_by_its_name(
        self, connector: Run, connect: Callable[..., Connection], name: str
    ) -> None:
        added = connect(name)
        assert connector("connections", "show", name, "--json").json["id"] == added.id
        said = connector("connections", "show", name)
        assert said.out.isprintable() or all(line.isprintable() for line in said.out.splitlines())

    def test_a_pause_is_shown_with_its_reason_on_one_line(
        self, connector: Run, connect: Callable[..., Connection], database: Database
    ) -> None:
        added = connect()
        reason = "Revoked.\n\x1b[31mstate  active"
        database.write(
            lambda tx: connections.set_state(tx, added.id, ConnectionState.PAUSED, code="unauthorized", reason=reason)
        )
        out = connector("connections", "show", "Acme").out
        assert "state           paused\n" in out
        assert "state_reason    Revoked.��[31mstate  active\n" in out

    def test_the_end_of_its_key_is_shown_where_it_is_known(
        self, connector: Run, connect: Callable[..., Connection], database: Database
    ) -> None:
        added = connect()
        assert "key_expires_at  None\n" in connector("connections", "show", "Acme").out
        database.write(lambda tx: connections.set_expiry(tx, added.id, 1_802_592_000.0))
        assert "key_expires_at  2027-02-14 08:00:00 UTC\n" in connector("connections", "show", "Acme").out
        assert connector("connections", "show", "Acme", "--json").json["key_expires_at"] == 1_802_592_000.0


class TestChanging:
    def test_another_key_is_stored_and_never_said(
        self, connector: Run, connect: Callable[..., Connection], credential: Callable[[str], str]
    ) -> None:
        added = connect()
        said = connector("connections", "set-key", "Acme", stdin=CANARY)
        assert (said.exit_code, said.out) == (0, "Acme has a new key and is active.\n")
        assert credential(added.id) == CANARY

    def test_a_rotation_shows_the_new_secret_once(
        self, connector: Run, connect: Callable[..., Connection], database: Database, environment: str
    ) -> None:
        added = connect(secret=SECRET)
        said = connector("connections", "rotate-secret", "Acme", "--overlap", "60")
        with database.read() as tx:
            fresh, old = endpoints.secrets(tx, Vault([environment]), added.endpoint_id, now=0)
        assert old == SECRET
        assert said.out == f"Secret       {fresh}\nEnter it at the partner; the old one verifies for 60 more seconds.\n"

    def test_it_is_paused_with_a_reason_and_resumed(self, connector: Run, connect: Callable[..., Connection]) -> None:
        added = connect()
        paused = connector("connections", "pause", "Acme", "--reason", "They asked.").out
        assert paused == f"Acme is paused. Go on with: connector connections resume {added.id}\n"
        shown = connector("connections", "show", "Acme", "--json").json
        assert (shown["state"], shown["state_reason"]) == ("paused", "They asked.")
        assert connector("connections", "resume", added.id).out == "Acme is active.\n"
        assert connector("connections", "show", "Acme", "--json").json["state"] == "active"
        connector("connections", "pause", "Acme")
        assert connector("connections", "show", "Acme", "--json").json["state_reason"] == "A person paused it."

    def test_removing_is_not_asked_of_a_pipe_but_refused(
        self, connector: Run, connect: Callable[..., Connection]
    ) -> None:
        connect()
        said = connector("connections", "remove", "Acme", stdin="y\n")
        assert said.exit_code == 2
        assert "Give --yes" in said.err
        assert len(connector("connections", "list", "--json").json) == 1

    def test_with_yes_it_is_removed_and_takes_no_key_any_more(
        self, connector: Run, connect: Callable[..., Connection]
    ) -> None:
        added = connect()
        said = connector("connections", "remove", "Acme", "--yes")
        assert (said.exit_code, said.out) == (0, "Acme is removed; its metrics stay in LaunchDarkly.\n")
        assert connector("connections", "list", "--json").json == []
        again = connector("connections", "set-key", added.id, stdin=CANARY)
        assert again.exit_code == 2
        assert "is removed; add it again" in again.err


class TestTrying:
    def test_a_good_key_shows_who_it_is_and_what_it_sees(
        self, connector: Run, connect: Callable[..., Connection], launchdarkly: str
    ) -> None:
        connect(base_url=launchdarkly)
        said = connector("connections", "test", "Acme")
        assert (said.exit_code, said.err) == (0, "")
        assert [line.split(":")[0] for line in said.out.splitlines()[:3]] == [
            "key        good",
            "project    found",
            "metrics    can be read",
        ]
        assert "proj/demo:metric/*" in said.out

    @pytest.mark.parametrize("wrong", [{"credential": "api-canary"}, {"project_key": "canary"}], ids=["key", "project"])
    def test_what_is_wrong_is_1_with_a_sentence(
        self, connector: Run, connect: Callable[..., Connection], launchdarkly: str, wrong: dict[str, str]
    ) -> None:
        connect(base_url=launchdarkly, **wrong)
        said = connector("connections", "test", "Acme")
        assert said.exit_code == 1
        assert said.err.startswith("Error: ")
        assert "api-canary" not in said.out + said.err

    def test_a_paused_connection_is_not_good_although_its_key_is(
        self, connector: Run, connect: Callable[..., Connection], launchdarkly: str, database: Database
    ) -> None:
        added = connect(base_url=launchdarkly)
        database.write(
            lambda tx: connections.set_state(tx, added.id, ConnectionState.PAUSED, code="x", reason="It was revoked.")
        )
        said = connector("connections", "test", "Acme")
        assert said.exit_code == 1
        assert "The connection is paused: It was revoked. See: connections set-key" in said.err


class TestSources:
    def test_a_partner_without_a_list_api_is_misuse(self, connector: Run, connect: Callable[..., Connection]) -> None:
        connect()
        said = connector("connections", "set-source", "Acme", "token=-", stdin="canary")
        assert said.exit_code == 2
        assert "has no list API" in said.err
        assert "canary" not in said.err
