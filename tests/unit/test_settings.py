"""Settings: named when wrong, with what to do, and never with a secret."""

from pathlib import Path

import pytest

from orchestrator.core.vault import new_key
from orchestrator.errors import SettingError
from orchestrator.settings import GATEWAY, GROUPS, PREFIX, Settings, UncertainPolicy, load, read

UUID = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"


def wrong(**environment: str) -> str:
    """What the error says about an environment, its hint included."""
    with pytest.raises(SettingError) as caught:
        load({PREFIX + name.upper(): value for name, value in environment.items()})
    return f"{caught.value.message} {caught.value.hint}"


def test_nothing_needs_to_be_set() -> None:
    assert load({}) == Settings()
    assert load({"PATH": "/bin", "HOME": "/nowhere"}) == Settings()


def test_groups_have_each_setting_once_and_in_this_order() -> None:
    assert [*Settings.model_fields] == [name for group in GROUPS for name in group.model_fields]


def test_no_validator_of_a_group_replaces_one_of_another() -> None:
    found = [
        (kind, name)
        for group in GROUPS
        for kind in ("field_validators", "model_validators")
        for name in getattr(group.__pydantic_decorators__, kind)
    ]
    assert sorted(found) == sorted({*found})


def test_the_environment_is_read_by_prefix_and_an_argument_wins() -> None:
    environment = {"ORCHESTRATOR_PORT": "9000", "ORCHESTRATOR_HOST": "::1", "PORT": "1"}
    settings = load(environment, port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "::1")


def test_an_unknown_setting_is_refused_and_the_likely_one_is_named() -> None:
    said = wrong(gatway_url="https://x/v1")
    assert "unknown setting ORCHESTRATOR_GATWAY_URL" in said
    assert "did you mean ORCHESTRATOR_GATEWAY_URL?" in said


def test_every_wrong_setting_is_named_at_once() -> None:
    said = wrong(port="many", gateway_url="gopher://x", nonsense="1", look_batch="0")
    for name in ("PORT", "GATEWAY_URL", "NONSENSE", "LOOK_BATCH"):
        assert PREFIX + name in said


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("api.phaseo.app/v1", "is not an http(s) URL"),
        ("ftp://api.phaseo.app", "is not an http(s) URL"),
        ("https://", "is not an http(s) URL"),
        ("https://user:hunter2@api.phaseo.app/v1", "must have no user"),
        ("https://api.phaseo.app/v1?key=hunter2", "must have no user, query"),
        ("https://api.phaseo.app/v1#hunter2", "must have no user, query or fragment"),
        ("https://api.phaseo.app/v1?", "must have no user, query"),
        ("https://[api.phaseo.app/v1", "is not an http(s) URL"),
        ("https://api.phaseo.app:99999/v1", "is not an http(s) URL"),
        ("https://api.phaseo.app:0/v1", "is not an http(s) URL"),
        ("https://api.phaseo.app:hunter2", "is not an http(s) URL"),
    ],
)
def test_a_url_that_cannot_be_the_gateways_is_refused_by_name(url: str, reason: str) -> None:
    said = wrong(gateway_url=url)
    assert "ORCHESTRATOR_GATEWAY_URL" in said
    assert reason in said
    assert "hunter2" not in said


def test_the_gateway_url_loses_its_last_slash() -> None:
    assert load({"ORCHESTRATOR_GATEWAY_URL": GATEWAY + "/"}).gateway_url == GATEWAY


@pytest.mark.parametrize("endpoint", ["we_123", UUID[:-1], "7"])
def test_an_endpoint_id_that_is_no_uuid_is_refused_by_name(endpoint: str) -> None:
    said = wrong(webhook_endpoint_id=endpoint)
    assert "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID" in said
    assert "is not a UUID" in said


@pytest.mark.parametrize("endpoint", [UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}"])
def test_an_endpoint_id_is_written_as_the_gateway_writes_it(endpoint: str) -> None:
    given = {"ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": endpoint, "ORCHESTRATOR_WEBHOOK_SECRETS": "whsec_a"}
    assert load(given).webhook_endpoint_id == UUID


def test_no_endpoint_id_means_looks_only() -> None:
    assert load({"ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": ""}).webhook_endpoint_id is None


def test_several_secrets_are_separated_by_commas() -> None:
    settings = load({"ORCHESTRATOR_WEBHOOK_SECRETS": " whsec_old, whsec_new ,,"})
    assert [one.get_secret_value() for one in settings.webhook_secrets] == ["whsec_old", "whsec_new"]


def test_a_secret_is_printed_nowhere() -> None:
    secret = "hunter2"
    environment = {
        "ORCHESTRATOR_GATEWAY_API_KEY": secret,
        "ORCHESTRATOR_WEBHOOK_SECRETS": f"{secret},{secret}",
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:////srv/{secret}.db",
    }
    settings = load(environment)
    assert secret not in f"{settings!r} {settings} {settings.model_dump_json()}"
    said = wrong(gateway_api_key=secret, webhook_secrets=secret, port="x")
    assert secret not in said


def test_the_database_is_a_file_in_the_data_folder_unless_said_otherwise() -> None:
    assert load({"ORCHESTRATOR_DATA_DIR": "/d"}).resolved_database_url == "sqlite:////d/orchestrator.db"
    for url in ("sqlite:////srv/jobs.db", "sqlite:///jobs.db"):
        assert load({"ORCHESTRATOR_DATABASE_URL": url}).resolved_database_url == url
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        given = {"ORCHESTRATOR_DATABASE_URL": f"{scheme}://me:secret@host:5432/jobs"}
        assert load(given).resolved_database_url == "postgresql+psycopg://me:secret@host:5432/jobs"
    assert load({"ORCHESTRATOR_DATABASE_URL": ""}) == Settings()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("notaurl-hunter2", "is not a database URL"),
        ("pg://me:hunter2@host:port/db", "names a database that is not supported"),
        ("postgresql+asyncpg://me:hunter2@host/db", "names a database that is not supported"),
        ("postgres://me:hunter2@host", "names no PostgreSQL database"),
        ("postgresql://me:hunter2@host:port/db", "names no PostgreSQL database"),
        ("mysql://me:hunter2@host/db", "names a database that is not supported"),
        ("sqlite+hunter2:///jobs.db", "names a database that is not supported"),
        ("sqlite://", "must name a file"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite://hunter2.db", "must name a file"),
        ("sqlite:///jobs.db?key=hunter2", "must name a file"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_by_the_settings_name(url: str, reason: str) -> None:
    said = wrong(database_url=url)
    assert said.startswith("ORCHESTRATOR_DATABASE_URL: ")
    assert reason in said
    assert "sqlite:////absolute/path.db" in said
    assert "hunter2" not in said


def test_the_policy_about_uncertain_creates_is_one_of_its_words() -> None:
    found = load({"ORCHESTRATOR_UNCERTAIN_POLICY": "resubmit"}).uncertain_policy
    assert found is UncertainPolicy.RESUBMIT
    assert "ORCHESTRATOR_UNCERTAIN_POLICY" in wrong(uncertain_policy="hope")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("poll_after_seconds", "0"),
        ("poll_after_seconds", "nan"),
        ("deadline_seconds", "0"),
        ("deadline_seconds", "nan"),
        ("uncertain_wait_seconds", "-1"),
        ("hand_off_attempts", "0"),
        ("look_batch", "1.5"),
        ("webhook_max_bytes", "10"),
        ("log_level", "loud"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    assert PREFIX + name.upper() in wrong(**{name: value})


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999"])
def test_no_number_of_the_settings_is_without_end(value: str) -> None:
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    said = wrong(**dict.fromkeys(numbers, value))
    for name in numbers:
        assert f"{PREFIX}{name.upper()}:" in said


def test_an_endpoint_without_a_secret_is_refused() -> None:
    with pytest.raises(SettingError, match="WEBHOOK_SECRETS is empty"):
        load({"ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": UUID})


def test_the_broker_is_redis_or_none_and_its_password_is_not_repeated() -> None:
    assert not Settings().scaled
    for url in ("redis://host", "redis://:hunter2@host:6379/0", "rediss://host/1"):
        assert load({"ORCHESTRATOR_BROKER_URL": url}).scaled
    for url in ("redis://", "amqp://me:hunter2@host", "hunter2", "redis://host:0", "redis://host:hunter2"):
        with pytest.raises(
            SettingError, match="ORCHESTRATOR_BROKER_URL: is not the URL of a Redis"
        ) as refused:
            load({"ORCHESTRATOR_BROKER_URL": url})
        assert "hunter2" not in str(refused.value)


def test_a_worker_can_be_given_some_of_the_queues() -> None:
    assert load({"ORCHESTRATOR_QUEUES": "look, create,look"}).queues == ("look", "create")
    for names in ("", "looks", "create,looks"):
        with pytest.raises(SettingError, match="ORCHESTRATOR_QUEUES: must name some of create, look"):
            load({"ORCHESTRATOR_QUEUES": names})


def test_keys_that_encrypt_secrets_are_checked_and_not_repeated() -> None:
    newest, older = new_key(), new_key()
    keys = load({"ORCHESTRATOR_SECRET_KEYS": f"{newest}, {older}"}).secret_keys
    assert [one.get_secret_value() for one in keys] == [newest, older]
    for text in ("hunter2", f"{newest},hunter2", newest[:-4], "hünter2"):
        said = wrong(secret_keys=text)
        assert "ORCHESTRATOR_SECRET_KEYS: has something that is no Fernet key" in said
        assert "orchestrator secrets new-key" in said
        assert text not in said


def test_the_archive_is_a_folder_in_the_data_folder_unless_said_otherwise() -> None:
    assert load({"ORCHESTRATOR_DATA_DIR": "/d"}).resolved_archive_dir == Path("/d/archive")
    assert load({"ORCHESTRATOR_ARCHIVE_DIR": "/far"}).resolved_archive_dir == Path("/far")
    assert load({}).resolved_archive_dir.is_absolute()


@pytest.mark.parametrize("name", ["archive_dir", "destinations_file", "public_url"])
def test_what_is_set_to_nothing_is_not_set(name: str) -> None:
    assert getattr(load({PREFIX + name.upper(): ""}), name) is None


def test_links_begin_with_the_public_url_or_else_with_where_the_receiver_listens() -> None:
    given = {"ORCHESTRATOR_PUBLIC_URL": "https://videos.example.com/o/"}
    assert load(given).resolved_public_url == "https://videos.example.com/o"
    assert load({}).resolved_public_url == "http://127.0.0.1:8700"
    assert load({"ORCHESTRATOR_HOST": "::1"}).resolved_public_url == "http://[::1]:8700"
    for url in ("videos.example.com", "ftp://h", "https://me:hunter2@h", "https://h?k=hunter2", "https://[h"):
        said = wrong(public_url=url)
        assert said.startswith("ORCHESTRATOR_PUBLIC_URL: ")
        assert "hunter2" not in said


def test_what_is_kept_for_ever_is_kept_for_zero_days() -> None:
    assert (Settings().retain_outputs_days, Settings().retain_jobs_days) == (0.0, 0.0)
    for name, value in (("jobs", "-1"), ("outputs", "-1"), ("attempts", "0")):
        assert f"RETAIN_{name.upper()}_DAYS" in wrong(**{f"retain_{name}_days": value})


def test_the_api_shares_the_receivers_port_unless_it_has_one_of_its_own() -> None:
    assert load({}).api_address is None
    assert load({"ORCHESTRATOR_API_PORT": ""}).api_address is None
    assert load({"ORCHESTRATOR_API_PORT": "8700"}).api_address is None
    assert load({"ORCHESTRATOR_API_PORT": "8701"}).api_address == ("127.0.0.1", 8701)
    two_free = load({"ORCHESTRATOR_PORT": "0", "ORCHESTRATOR_API_PORT": "0", "ORCHESTRATOR_API_HOST": "::1"})
    assert two_free.api_address == ("::1", 0)


def test_links_to_outputs_lead_to_the_apis_port() -> None:
    given = {"ORCHESTRATOR_API_PORT": "8701", "ORCHESTRATOR_API_HOST": "::1"}
    assert load(given).resolved_public_url == "http://[::1]:8701"


@pytest.mark.parametrize("port", [{}, {"ORCHESTRATOR_API_PORT": "8700"}])
def test_an_address_of_the_api_needs_a_port_of_its_own(port: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="ORCHESTRATOR_API_HOST needs an ORCHESTRATOR_API_PORT of its own"):
        load(port | {"ORCHESTRATOR_API_HOST": "10.0.0.1"})


def test_trusted_proxies_are_addresses_and_networks() -> None:
    given = load({"ORCHESTRATOR_TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/16,::1"})
    assert given.trusted_proxies == ("10.0.0.7", "10.1.0.0/16", "::1")


@pytest.mark.parametrize("given", ["*", "proxy.example.com", "10.0.0.1/8", "10.0.0.7,x"])
def test_what_is_no_network_is_no_trusted_proxy(given: str) -> None:
    with pytest.raises(SettingError, match="not an address or network"):
        load({"ORCHESTRATOR_TRUSTED_PROXIES": given})


def test_all_that_is_wrong_is_told_at_once_and_the_rest_can_be_used() -> None:
    given = {
        "PORT": "70000",
        "LOOK_BATCH": "0",
        "API_HOST": "::1",
        "WEBHOOK_ENDPOINT_ID": UUID,
        "HOST": "::1",
    }
    settings, problems = read(
        {PREFIX + name: value for name, value in given.items()} | {f"{PREFIX}POTR": "1"}
    )
    assert (settings.port, settings.host, settings.webhook_endpoint_id) == (8700, "::1", None)
    told = {name for one in problems for name in one.fields}
    assert told == {"port", "look_batch", "api_host", "api_port", "webhook_endpoint_id", "webhook_secrets"}
    assert len(problems) == 5


def test_what_is_wrong_only_because_of_something_else_that_is_wrong_is_not_told() -> None:
    _, problems = read({f"{PREFIX}API_HOST": "::1", f"{PREFIX}API_PORT": "many"})
    assert [one.fields for one in problems] == [{"api_port"}]
