"""Procfile, compose file and systemd units start the same processes, by command lines the program takes."""

import inspect
import re
from pathlib import Path

import pytest

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.core.vault import new_key
from orchestrator.engine.alarms import AlarmName
from orchestrator.processes.workers import threads
from orchestrator.settings import QUEUES, Settings, load
from orchestrator.store.database import BUSY_FOR, IDLE_WITHIN, STATEMENT_WITHIN
from orchestrator.web import receiver
from tests.house_rules.deployed import (
    COMPOSE,
    DEPLOY,
    OURS,
    ROOT,
    SERVICES,
    SETTINGS,
    mounts,
    parsed,
    procfile,
    unit,
    units,
)

PROCESSES = {"web", "worker", "beat"}
COMMON = unit("orchestrator-.service.d/common.conf")
UNITS = units()
DEFAULTS = Settings()
HOW_TO = ROOT / "docs" / "how-to"
GUIDE = (HOW_TO / "deploy.md").read_text()
SERVERS = (HOW_TO / "use-postgresql-and-redis.md").read_text()

COMMANDS = {
    "Procfile": procfile(),
    "compose": {name: ["orchestrator", *service["command"]] for name, service in OURS.items()},
    "systemd": {name: one["Service"]["ExecStart"].split() for name, one in UNITS.items()},
}


@pytest.mark.parametrize("place", COMMANDS)
def test_every_way_to_deploy_starts_the_same_processes(place: str) -> None:
    commands = [parsed(line)[0] for line in COMMANDS[place].values()]
    assert sorted(commands) == sorted([*PROCESSES, "migrate"])


@pytest.mark.parametrize("place", COMMANDS)
def test_the_workers_of_every_deployment_serve_every_queue(place: str) -> None:
    served: set[str] = set()
    for name, parameters in map(parsed, COMMANDS[place].values()):
        if name == "worker":
            served |= set((parameters["queues"] or ",".join(DEFAULTS.queues)).split(","))
    assert served == set(QUEUES)


def test_the_release_of_the_procfile_migrates_and_the_rest_are_named_after_their_command() -> None:
    assert {name: parsed(line)[0] for name, line in procfile().items()} == {
        "release": "migrate",
        "web": "web",
        "worker": "worker",
        "beat": "beat",
    }


def test_a_platforms_web_process_listens_where_the_platform_says() -> None:
    assert "--port ${PORT:-" in (ROOT / "Procfile").read_text()
    told = {name: it for name, it in parsed(procfile()["web"])[1].items() if it}
    assert told == {"host": "0.0.0.0", "port": DEFAULTS.port}


def test_services_and_units_are_named_after_their_command() -> None:
    assert {name: parsed(line)[0] for name, line in COMMANDS["compose"].items()} == {n: n for n in OURS}
    for name, line in COMMANDS["systemd"].items():
        assert re.fullmatch(rf"orchestrator-{parsed(line)[0]}@?\.service", name)


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_in_compose_waits_for_the_migration_and_is_asked_whether_it_lives(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    test = SERVICES[name]["healthcheck"]["test"]
    assert test[0] == "CMD"
    asked, parameters = parsed(test[1:])
    assert (asked, str(parameters["alive"])) == ("check", name)


def test_the_migration_in_compose_runs_once_and_waits_for_the_database() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"]["database"] == {"condition": "service_healthy"}
    assert [name for name, one in SERVICES.items() if "healthcheck" not in one] == ["migrate"]
    assert [name for name, one in SERVICES.items() if "build" in one] == ["migrate"]


def test_a_stopped_process_has_the_time_to_drain() -> None:
    graces = {SERVICES[name]["stop_grace_period"] for name in PROCESSES}
    (grace,) = [re.fullmatch(r"\$\{STOP_GRACE:-(\d+)s\}", one) for one in graces]
    assert grace, "whoever raises the setting can raise this too, without touching the file"
    for seconds in (grace[1], COMMON["Service"]["TimeoutStopSec"]):
        assert float(seconds) >= DEFAULTS.drain_seconds + 10


@pytest.mark.parametrize(
    ("name", "setting", "waiting"),
    [
        ("database", "ORCHESTRATOR_DATABASE_URL", {"migrate"}),
        ("broker", "ORCHESTRATOR_BROKER_URL", PROCESSES),
    ],
)
def test_a_service_that_an_operator_has_already_can_be_taken_out_as_the_guide_says(
    name: str, setting: str, waiting: set[str]
) -> None:
    assert {one for one, service in SERVICES.items() if name in service.get("depends_on", ())} == waiting
    variables = {key for key, value in COMPOSE["x-program"]["environment"].items() if name in value}
    if name == "database":
        variables |= {key for key, value in COMPOSE["x-program"]["environment"].items() if ":?" in value}
        assert set(SERVICES["migrate"]["depends_on"]) == {name}
    assert setting in variables
    (row,) = [line for line in GUIDE.splitlines() if f"| `{name}` |" in line]
    assert set(re.findall(r"`([A-Z_]+)`", row)) == variables
    volumes = {one for one, service in SERVICES.items() if f"'{name}:" in str(service.get("volumes"))}
    assert volumes == {name}


def test_only_the_receiver_is_published_and_only_on_this_machine() -> None:
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert set(ports) == {"web"}
    assert all(port.startswith("127.0.0.1:") and port.endswith(f":{DEFAULTS.port}") for port in ports["web"])


def test_all_processes_together_hold_fewer_connections_than_the_database_has() -> None:
    of_each = {name: SERVICES[name].get("deploy", {}).get("replicas", 1) for name in OURS}
    most = re.search(r"max_connections=(\d+)", " ".join(SERVICES["database"]["command"]))
    assert most
    spare = 20  # for the server's own, for people, and for checks
    held = sum(of_each.values()) * DEFAULTS.database_connections + of_each["worker"]  # heartbeats
    assert held + spare <= int(most.group(1))


def test_the_guide_tells_how_many_threads_share_the_connections_of_a_process() -> None:
    assert f"a `web` keeps webhooks with {receiver.THREADS}," in SERVERS
    assert f"a `worker` works with {sum(threads(DEFAULTS).values())}," in SERVERS
    assert f"`ORCHESTRATOR_DATABASE_CONNECTIONS` ({DEFAULTS.database_connections})" in SERVERS
    assert f"gets none within {BUSY_FOR:.0f} s" in SERVERS


def test_the_broker_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["broker"]["command"])
    for option in ("--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"):
        assert option in command


def test_images_of_others_are_pinned_to_a_major_version() -> None:
    for name in SERVICES.keys() - OURS.keys():
        assert re.fullmatch(r"[\w./-]+:\d+(\.\d+)*(-\w+)?", SERVICES[name]["image"])


def test_every_volume_is_used_and_every_used_one_is_declared() -> None:
    used = {source for name in SERVICES for source, _ in mounts(name).values()}
    folders = {source for source in used if source.startswith("./")}
    assert used - folders == set(COMPOSE["volumes"])
    assert SERVICES["database"]["volumes"]
    assert SERVICES["broker"]["volumes"]


def _archive_dir(place: str, command: str) -> Path:
    """Where a process that gets only what its deployment gives it has the archive."""
    if place == "compose":
        said = SERVICES[command]["environment"]
    else:
        text = (DEPLOY / "systemd" / "orchestrator-.service.d" / "common.conf").read_text()
        said = dict(re.findall(r"^Environment=(\w+)=(.+)$", text, re.MULTILINE))
    names = ("ORCHESTRATOR_DATA_DIR", "ORCHESTRATOR_ARCHIVE_DIR")
    return load({name: said[name] for name in names}).resolved_archive_dir


def test_web_reads_the_archive_that_the_workers_write() -> None:
    archive = str(_archive_dir("compose", "worker"))
    assert str(_archive_dir("compose", "web")) == archive
    (volume, workers_write), (webs, web_writes) = mounts("worker")[archive], mounts("web")[archive]
    assert volume == webs
    assert volume in COMPOSE["volumes"], "a named volume is there once, however many workers there are"
    assert (workers_write, web_writes) == (True, False)
    state = f"/var/lib/{COMMON['Service']['StateDirectory']}"
    assert _archive_dir("systemd", "web").is_relative_to(state)
    units_of_both = [UNITS[name]["Service"] for name in UNITS if "web" in name or "worker" in name]
    assert not [one for one in units_of_both if "Environment" in one], "nothing differs between them"


def test_web_and_the_workers_get_the_destinations_file_and_nobody_else() -> None:
    folder = "/etc/orchestrator"
    assert [name for name in SERVICES if folder in mounts(name)] == ["web", "worker"]
    assert mounts("web")[folder] == mounts("worker")[folder] == ("./destinations", False)
    assert f"{folder}/destinations.toml" in (DEPLOY / "env.example").read_text()
    assert f"{folder}/destinations.toml" in GUIDE
    assert "/deploy/destinations/" in (ROOT / ".gitignore").read_text().split()


def test_every_variable_of_the_compose_file_is_in_the_example_with_its_default() -> None:
    example = (DEPLOY / "env.example").read_text()
    for name, rest, given in re.findall(r"\$\{(\w+)(:[-?])([^}]*)", (DEPLOY / "compose.yaml").read_text()):
        assert (f"\n#{name}={given}\n" if rest == ":-" else f"\n{name}=\n") in example, name


def _withheld(place: str, command: str) -> set[str]:
    """The settings of the common file that do not reach this process."""
    if place == "compose":
        return {name for name, value in SERVICES[command]["environment"].items() if value == ""}
    return set(UNITS[f"orchestrator-{command}.service"]["Service"]["UnsetEnvironment"].split())


@pytest.mark.parametrize("place", ["compose", "systemd"])
def test_only_the_workers_get_the_gateways_key_and_only_web_besides_them_the_other_secrets(
    place: str,
) -> None:
    everything = {
        "ORCHESTRATOR_GATEWAY_API_KEY": "key",
        "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": "7d1c5f2e-6a8e-4a51-9a0c-4bb6a3a6f9f0",
        "ORCHESTRATOR_WEBHOOK_SECRETS": "whsec_1",
        "ORCHESTRATOR_SECRET_KEYS": new_key(),
    }
    for command in ("web", "beat", "migrate"):
        withheld = _withheld(place, command)
        settings = load({name: value for name, value in everything.items() if name not in withheld})
        assert not settings.gateway_api_key.get_secret_value()
        assert bool(settings.webhook_secrets) == bool(settings.secret_keys) == (command == "web")
        assert withheld <= SETTINGS
    assert SERVICES["worker"]["environment"] == COMPOSE["x-program"]["environment"]
    assert "UnsetEnvironment" not in UNITS["orchestrator-worker@.service"]["Service"]


def test_every_unit_belongs_to_the_target_and_starts_after_the_migration() -> None:
    for name in (name for name, line in COMMANDS["systemd"].items() if parsed(line)[0] in PROCESSES):
        assert UNITS[name]["Unit"]["After"] == UNITS[name]["Unit"]["Wants"] == "orchestrator-migrate.service"
        assert UNITS[name]["Unit"]["PartOf"] == UNITS[name]["Install"]["WantedBy"] == "orchestrator.target"
        assert UNITS[name]["Service"]["Restart"] == "always"
    assert UNITS["orchestrator-migrate.service"]["Service"]["Type"] == "oneshot"
    assert (DEPLOY / "systemd" / "orchestrator.target").exists()


def test_the_units_run_as_the_user_that_is_made_for_them_and_write_only_their_own_folder() -> None:
    user = COMMON["Service"]["User"]
    made = (DEPLOY / "systemd" / "orchestrator.sysusers").read_text()
    assert re.search(rf"^u {user} ", made, re.MULTILINE)
    assert COMMON["Service"]["ProtectSystem"] == "strict"
    assert COMMON["Service"]["NoNewPrivileges"] == "yes"
    folder = f"/var/lib/{COMMON['Service']['StateDirectory']}"
    text = (DEPLOY / "systemd" / "orchestrator-.service.d" / "common.conf").read_text()
    assert all(path.startswith(folder) for path in re.findall(r"_DIR=(.+)", text))


def test_every_setting_that_a_file_of_the_deployment_or_a_document_names_exists() -> None:
    files: list[Path] = [ROOT / "Procfile", ROOT / "README.md"]
    files += [file for folder in (DEPLOY, ROOT / "docs") for file in folder.rglob("*") if file.is_file()]
    for file in (file for file in files if file.suffix not in (".pyc", ".png")):
        named = set(re.findall(r"\bORCHESTRATOR_[A-Z][A-Z_]*[A-Z]\b", file.read_text()))
        assert not named - SETTINGS, file.relative_to(ROOT)


def test_the_guide_tells_the_time_limits_that_are_in_force() -> None:
    limits = {"lock_timeout": BUSY_FOR, "statement_timeout": STATEMENT_WITHIN}
    limits["idle_in_transaction_session_timeout"] = IDLE_WITHIN
    told = dict(re.findall(r"(\w+_timeout) = '(\d+)s'", SERVERS))
    assert told == {name: f"{seconds:.0f}" for name, seconds in limits.items()}


def test_the_guide_explains_every_alarm_and_no_document_names_another() -> None:
    table = (HOW_TO / "monitor.md").read_text().partition("| alarm | means | do |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(AlarmName)
    for page in (ROOT / "docs").rglob("*.md"):
        assert set(re.findall(r"\balarm `(\w+)`", page.read_text())) <= set(AlarmName), page.name


def test_the_page_of_the_processes_names_every_alarm() -> None:
    page = (ROOT / "docs" / "reference" / "processes.md").read_text()
    assert not [name for name in AlarmName if f"`{name}`" not in page]


def test_every_exit_code_is_explained() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    section = page.partition("## Exit codes")[2].partition("\n## ")[0]
    (aborted,) = re.findall(r"_exit\((\d+)\)", inspect.getsource(wiring.abort))
    assert set(re.findall(r"^\| (\d+) \|", section, re.MULTILINE)) == {f"{one:d}" for one in Exit} | {aborted}
