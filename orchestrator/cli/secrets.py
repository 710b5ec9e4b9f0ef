"""Keys, and the secrets that are encrypted with them."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Encrypt secrets of destinations and accounts; rotate keys.",
)


@app.command("new-key")
def make_key(as_json: AsJson = False) -> None:
    """Print a new key for ORCHESTRATOR_SECRET_KEYS."""
    from orchestrator.cli.screen import print_json
    from orchestrator.core.vault import new_key

    key = new_key()
    print_json({"key": key}) if as_json else print(key)


@app.command()
def seal(
    place: Annotated[
        str,
        typer.Argument(metavar="NAME.FIELD", help="The destination and its option, such as hook.secrets."),
    ],
    as_json: AsJson = False,
) -> None:
    """Encrypt a secret for the destinations file.

    Reads it from standard input and prints what to write into the file.
    """
    from orchestrator import wiring
    from orchestrator.cli.destination_options import read_secret
    from orchestrator.cli.screen import print_json
    from orchestrator.core.routes import ARCHIVE
    from orchestrator.engine.destination_settings import purpose, require_name
    from orchestrator.errors import RequestError

    name, _, field = place.partition(".")
    if not field.isidentifier():
        raise RequestError(
            f"{place!r} names no option of a destination",
            hint="give NAME.FIELD; for one of several, or one of a table, the field alone: hook.headers",
        )
    if name != ARCHIVE:
        require_name(name)
    vault = wiring.vault(wiring.read_settings(quiet=True))
    token = vault.seal(purpose(name, field), read_secret(f"{place}: "))
    print_json({"token": token}) if as_json else print(token)


@app.command()
def rotate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Encrypt all secrets again with the newest key.

    In the database and in the destinations file. First put the new key before the old one:
    ORCHESTRATOR_SECRET_KEYS=new,old. Afterwards you can remove the old one.
    """
    from orchestrator import wiring
    from orchestrator.cli.catalogued import existing_store
    from orchestrator.cli.screen import print_json
    from orchestrator.engine.rotation import rotate as encrypt_anew

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with existing_store(settings) as store:
        done = encrypt_anew(wiring.vault(settings), store, settings.destinations_file)
    if as_json:
        print_json(done)
        return
    print(f"encrypted again: {done.database} in the database, {done.file} in the destinations file")
    if done.already:
        print(f"by the newest key before: {done.already}")
