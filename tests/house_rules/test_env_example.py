"""The example of an operator's settings holds each of them once, with its true default, and can be used."""

import re
from collections import Counter

from docs.env_example import FOR_TESTS, TO_FILL_IN
from orchestrator.settings import PREFIX, Settings, load
from tests.house_rules.deployed import DEPLOY, SERVICES

LINES = re.findall(r"^(#?)([A-Z_]+)=(.*)$", (DEPLOY / "env.example").read_text(), re.MULTILINE)
OURS = [(mark, name, value) for mark, name, value in LINES if name.startswith(PREFIX)]


def test_every_setting_is_there_once_and_no_other() -> None:
    there = Counter(name.removeprefix(PREFIX).lower() for _, name, _ in OURS)
    assert there == Counter(Settings.model_fields.keys() - FOR_TESTS)
    for_compose = {name for _, name, _ in LINES} - {name for _, name, _ in OURS}
    assert for_compose == {"POSTGRES_PASSWORD", "STOP_GRACE", "WEB_PORT"}


def test_with_every_mark_taken_away_all_is_as_with_nothing_set() -> None:
    marked = {name: value for mark, name, value in OURS if mark}
    assert load(marked) == Settings()
    assert len(marked) == len(Settings.model_fields) - len(FOR_TESTS) - len(TO_FILL_IN)


def test_as_it_is_it_can_be_read_and_names_a_database_and_a_broker_of_several_processes() -> None:
    settings = load({name: value for mark, name, value in OURS if not mark})
    assert settings.scaled
    assert settings.resolved_database_url.startswith("postgresql+psycopg://")
    assert not settings.gateway_api_key.get_secret_value()


def test_what_the_compose_file_sets_can_be_read_as_well() -> None:
    environment = {name: str(value) for name, value in SERVICES["worker"]["environment"].items()}
    settings = load(environment)
    assert settings.scaled
    assert settings.resolved_database_url.startswith("postgresql+psycopg://")
    assert "PGPASSWORD" in environment


def test_no_value_needs_quotes_in_either_reader() -> None:
    assert not [name for _, name, value in LINES if re.search(r"[\s\"'$#\\]", value)]
