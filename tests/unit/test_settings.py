"""The environment becomes settings, and every wrong value is named at once and without what must stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.settings import EnvironmentConnection, Settings, SettingsError

CONNECTION = {
    "CONNECTOR_WEBHOOK_SECRET": " whsec_canary ",
    "LAUNCHDARKLY_API_KEY": " api-canary ",
    "LAUNCHDARKLY_PROJECT_KEY": " demo ",
}


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(environment)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def problem(name: str, value: str) -> str:
    (sentence,) = problems({name: value})
    assert sentence.startswith(f"{name} ")
    assert sentence.endswith(".")
    return sentence


def test_without_any_variable_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_THREADS", "99")
    assert Settings.from_environment({}) == Settings()


def test_by_default_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_THREADS", "99")
    assert Settings.from_environment().threads == 99


def test_every_variable_becomes_its_setting(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    settings = Settings.from_environment(
        {
            "CONNECTOR_DATABASE_URL": "postgresql+psycopg://user@host/db",
            "CONNECTOR_ENCRYPTION_KEYS": "new, old,",
            "CONNECTOR_ADMIN_TOKEN": "t" * 24,
            "CONNECTOR_BASE_URL": "https://hooks.example.com/connector/",
            "CONNECTOR_BROKER_URL": "redis://localhost",
            "CONNECTOR_BROKER_QUEUE": "eu.connector",
            "CONNECTOR_TAKE_OVER_AFTER": "10",
            "CONNECTOR_WORKERS": "4",
            "CONNECTOR_RESPOND_WITHIN": "0",
            "CONNECTOR_MAX_BODY": "1024",
            "CONNECTOR_RULES": str(rules),
            "CONNECTOR_MAPPINGS": str(tmp_path),
            "CONNECTOR_LOG_FORMAT": "json",
            "CONNECTOR_PRODUCT": "my_product.v2",
            "CONNECTOR_ENDPOINT_RATE": "0.5",
            "CONNECTOR_THREADS": "2",
        }
    )
    assert settings == Settings(
        database_url="postgresql+psycopg://user@host/db",
        encryption_keys=("new", "old"),
        admin_token="t" * 24,
        base_url="https://hooks.example.com/connector",
        broker_url="redis://localhost",
        broker_queue="eu.connector",
        take_over_after=10,
        workers=4,
        respond_within=0,
        max_body=1024,
        rules=rules,
        mappings=tmp_path,
        log_format="json",
        product="my_product.v2",
        endpoint_rate=0.5,
        threads=2,
    )


@pytest.mark.parametrize("empty", ["", "  ", "\t\n"])
def test_an_empty_variable_counts_as_unset(empty: str) -> None:
    names = ("DATABASE_URL", "ENCRYPTION_KEYS", "ADMIN_TOKEN", "THREADS", "RULES", "PARTNER", "WEBHOOK_SECRET")
    assert Settings.from_environment({f"CONNECTOR_{name}": empty for name in names}) == Settings()


def test_all_wrong_values_are_named_at_once() -> None:
    found = problems(
        {
            "CONNECTOR_THREADS": "many",
            "CONNECTOR_LOG_FORMAT": "xml",
            "CONNECTOR_BASE_URL": "hooks",
            "CONNECTOR_RULES": "/",
        }
    )
    assert [sentence.split()[0] for sentence in found] == [
        "CONNECTOR_BASE_URL",
        "CONNECTOR_RULES",
        "CONNECTOR_LOG_FORMAT",
        "CONNECTOR_THREADS",
    ]


@pytest.mark.parametrize("value", ["many", "-0.1", "60.1", "nan", "inf", "1s", "0x1"])
def test_a_number_out_of_its_range_is_refused_with_range_and_unit(value: str) -> None:
    sentence = problem("CONNECTOR_RESPOND_WITHIN", value)
    assert sentence == f"CONNECTOR_RESPOND_WITHIN must be a number of seconds from 0 to 60, not {value!r}."


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://hooks.example.com",
        "https://",
        "https://hooks.example.com?a=1",
        "https://hooks.example.com?",
        "https://hooks.example.com#top",
        "http://[::1",
        "https://hooks.example.com:port",
        "https://hooks.example.com:99999",
    ],
)
def test_a_base_url_must_be_an_address(url: str) -> None:
    assert "must be the public http(s) address of this service" in problem("CONNECTOR_BASE_URL", url)


@pytest.mark.parametrize("given", ["postgres://user:p@host/db", "postgresql://user:p@host/db"])
def test_the_usual_names_of_postgresql_mean_its_driver(given: str) -> None:
    assert Settings.from_environment({"CONNECTOR_DATABASE_URL": given}).database_url == (
        "postgresql+psycopg://user:p@host/db"
    )


def test_another_database_is_refused_without_repeating_its_password() -> None:
    assert "canary" not in problem("CONNECTOR_DATABASE_URL", "mysql://user:canary@host/db")


def test_a_short_admin_token_is_refused_with_a_way_to_make_one() -> None:
    sentence = problem("CONNECTOR_ADMIN_TOKEN", "canary")
    assert "openssl rand -base64 32" in sentence
    assert "canary" not in sentence


POSTGRES = {"CONNECTOR_DATABASE_URL": "postgresql://host/db"}


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps"])
def test_a_broker_is_redis_or_rabbitmq(scheme: str) -> None:
    settings = Settings.from_environment(POSTGRES | {"CONNECTOR_BROKER_URL": f"{scheme}://host"})
    assert settings.broker_url == f"{scheme}://host"


def test_another_broker_is_refused_without_repeating_its_password() -> None:
    (sentence,) = problems(POSTGRES | {"CONNECTOR_BROKER_URL": "sqs://user:canary@host"})
    assert sentence == "CONNECTOR_BROKER_URL must start with redis://, rediss://, amqp:// or amqps://."


def test_a_broker_with_sqlite_is_refused_with_both_ways_out() -> None:
    (sentence,) = problems({"CONNECTOR_BROKER_URL": "redis://host"})
    assert "set CONNECTOR_DATABASE_URL to postgresql+psycopg://" in sentence
    assert "or unset CONNECTOR_BROKER_URL" in sentence


@pytest.mark.parametrize("queue", ["two words", "a/b", "é", "q" * 101])
def test_a_queue_is_one_plain_word(queue: str) -> None:
    assert "letters, digits" in problem("CONNECTOR_BROKER_QUEUE", queue)


@pytest.mark.parametrize("product", ["my product", "a/b", "a-b", "é"])
def test_the_product_goes_into_a_header_and_must_fit(product: str) -> None:
    assert "User-Agent" in problem("CONNECTOR_PRODUCT", product)


def test_files_and_directories_must_be_there(tmp_path: Path) -> None:
    assert "does not exist or is not a file" in problem("CONNECTOR_RULES", str(tmp_path))
    assert "is not a directory" in problem("CONNECTOR_MAPPINGS", str(tmp_path / "none"))


class TestInstance:
    @pytest.mark.parametrize(
        ("url", "directory"),
        [
            ("sqlite:///instance/connector.db", "instance"),
            ("sqlite:////var/lib/connector/connector.db", "/var/lib/connector"),
            ("sqlite:///connector.db", "."),
            ("sqlite:///:memory:", "instance"),
            ("postgresql+psycopg://host/db", "instance"),
        ],
    )
    def test_what_belongs_to_the_installation_lies_beside_the_sqlite_file(self, url: str, directory: str) -> None:
        assert Settings(database_url=url).instance == Path(directory)


class TestEnvironmentConnection:
    def test_three_variables_are_a_connection(self) -> None:
        assert Settings.from_environment(CONNECTION).environment_connection == EnvironmentConnection(
            partner="standard", webhook_secret="whsec_canary", api_key="api-canary", project_key="demo"
        )

    def test_partner_and_base_url_may_be_said(self) -> None:
        more = {"CONNECTOR_PARTNER": "stripe", "LAUNCHDARKLY_BASE_URL": "eu"}
        connection = Settings.from_environment(CONNECTION | more).environment_connection
        assert connection is not None
        assert (connection.partner, connection.base_url) == ("stripe", "eu")

    def test_launchdarklys_variables_alone_are_for_other_tools(self) -> None:
        others = {name: value for name, value in CONNECTION.items() if name.startswith("LAUNCHDARKLY")}
        assert Settings.from_environment(others).environment_connection is None

    @pytest.mark.parametrize("missing", CONNECTION)
    def test_half_a_connection_names_what_is_missing(self, missing: str) -> None:
        half = {name: value for name, value in CONNECTION.items() if name != missing} | {"CONNECTOR_PARTNER": "stripe"}
        (sentence,) = problems(half)
        assert f"set {missing} too, or unset CONNECTOR_PARTNER and CONNECTOR_WEBHOOK_SECRET" in sentence
        assert "canary" not in sentence


def test_no_repr_tells_a_secret() -> None:
    settings = Settings.from_environment(
        CONNECTION
        | {
            "CONNECTOR_DATABASE_URL": "postgresql://user:canary@host/db",
            "CONNECTOR_ENCRYPTION_KEYS": "canary",
            "CONNECTOR_ADMIN_TOKEN": "canary" * 4,
            "CONNECTOR_BROKER_URL": "redis://:canary@host",
        }
    )
    assert settings.environment_connection is not None
    assert "canary" not in repr(settings)
    assert "canary" not in repr(settings.environment_connection)


def test_a_blank_secret_beside_launchdarklys_settings_is_one_that_was_forgotten() -> None:
    given = {"LAUNCHDARKLY_API_KEY": "api-1", "LAUNCHDARKLY_PROJECT_KEY": "demo"}
    assert Settings.from_environment(given).environment_connection is None
    with pytest.raises(SettingsError, match="CONNECTOR_WEBHOOK_SECRET is empty"):
        Settings.from_environment(given | {"CONNECTOR_WEBHOOK_SECRET": " "})
