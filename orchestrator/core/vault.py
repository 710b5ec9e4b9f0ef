"""Secrets at rest: encrypted by the newest of some keys, readable by any of them.

Fernet tokens: AES-128-CBC with HMAC-SHA256, by the `cryptography` library. What is encrypted says what it is
for, so that a token which is moved elsewhere opens nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from orchestrator.errors import SettingError

MARK = "fernet:"  # what an encrypted value begins with where plain ones could stand


class Vault:
    """Encrypts and decrypts. Without keys it can do neither, and says so when asked."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [_fernet(key) for key in keys]

    def seal(self, purpose: str, plain: str) -> str:
        """A token of it, by the newest key."""
        return MARK + self._all().encrypt(f"{purpose}\0{plain}".encode()).decode()

    def open(self, purpose: str, token: str) -> str:
        """What was sealed for this purpose. Raises SettingError for anything else."""
        self._require_keys_to_read()
        try:
            found, _, plain = self._all().decrypt(token.removeprefix(MARK)).decode().partition("\0")
        except (InvalidToken, ValueError):  # the second for what is no ASCII, the token or what is in it
            raise _unreadable() from None
        if found != purpose:
            raise SettingError(
                "an encrypted secret was made for another place", hint="encrypt it anew for this one"
            )
        return plain

    def reseal(self, token: str) -> str:
        """The same secret for the same purpose, by the newest key: the token itself if that made it.

        Raises SettingError where none of the keys opens it.
        """
        if self._is_by_newest(token):
            return token
        try:
            return MARK + self._all().rotate(token.removeprefix(MARK)).decode()
        except (InvalidToken, ValueError):
            raise _unreadable() from None

    def _require_keys_to_read(self) -> None:
        if not self._keys:
            raise SettingError(
                "a secret is encrypted, and there is no key to read it with",
                hint="set ORCHESTRATOR_SECRET_KEYS to the key that made it, or set the secret anew",
            )

    def _is_by_newest(self, token: str) -> bool:
        self._require_keys_to_read()
        try:
            self._keys[0].decrypt(token.removeprefix(MARK))
        except (InvalidToken, ValueError):
            return False
        return True

    def _all(self) -> MultiFernet:
        if not self._keys:
            raise SettingError(
                "there is no key to encrypt secrets with",
                hint="`orchestrator secrets new-key` makes one; set it as ORCHESTRATOR_SECRET_KEYS",
            )
        return MultiFernet(self._keys)


def new_key() -> str:
    """A key for ORCHESTRATOR_SECRET_KEYS."""
    return Fernet.generate_key().decode()


def _unreadable() -> SettingError:
    return SettingError(
        "an encrypted secret cannot be read with any of the keys",
        hint="add the key that made it to ORCHESTRATOR_SECRET_KEYS, or set the secret anew",
    )


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise SettingError(  # the key itself is never repeated
            "a key in ORCHESTRATOR_SECRET_KEYS is no Fernet key",
            hint="`orchestrator secrets new-key` makes one; commas separate several, the newest first",
        ) from None
