"""The key of the hashes that stand in place of identities.

It is not in the data: it comes from the environment, or lies in the user's state folder under the
name that the plan gives it, so that nobody can undo a hash from the pages alone.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from funnel.contract.errors import ParameterError
from funnel.contract.outgoing_text import clean_path

HASH_KEY = "FUNNEL_HASH_KEY"
_log = logging.getLogger("funnel")
_LEAST_DIGITS, _LEAST_DIFFERENT = 32, 8  # hexadecimal: 128 bits; a random key has 14 of 16
_MAKE_KEY = "openssl rand -hex 32"


@dataclass(frozen=True)
class LabelKey:
    """Key that identities are hashed with.

    Attributes
    ----------
    secret
        The key itself; never written anywhere but to its own file.
    name
        Its name in the plan; empty where the plan names none.
    is_secret
        Whether it is; one that could not be saved is made from the folder's path.
    is_given
        Whether it comes from the environment.
    """

    secret: str = field(repr=False)
    name: str = ""
    is_secret: bool = True
    is_given: bool = False

    @property
    def fingerprint(self) -> str:
        """Short hash of the key, by which two snapshots show whether they share it."""
        return hashlib.sha256(f"funnel key {self.secret}".encode()).hexdigest()[:16]

    @property
    def is_portable(self) -> bool:
        """Whether another machine can have the same key."""
        return bool(self.is_given or (self.name and self.is_secret))


def key_for(folder: Path | None, name: str = "") -> LabelKey:
    """Key that identities are hashed with: the environment's, else the saved one.

    Parameters
    ----------
    folder
        The company's folder; None for data from frames, which share one key of this user.
    name
        The key's name in the plan; without one, each folder has a key of its own.

    Raises
    ------
    ParameterError
        If the key given, or the one in its file, is too short or too simple.
    """
    given = os.environ.get(HASH_KEY, "").strip()
    if given:
        _refuse_weak(given, HASH_KEY)
        return LabelKey(given, name, is_given=True)
    place = str(folder.resolve()) if folder else "frames"
    try:
        file = key_file(name or hashlib.sha256(place.encode()).hexdigest()[:32])
        if name and not file.exists():
            _log.warning(
                "The key %s is made now, in %s. Another machine has the same labels only with a "
                "copy of that file.", name, clean_path(file),
            )  # fmt: skip
        secret = _saved_key(file)
    except (OSError, RuntimeError):  # RuntimeError: no home folder is known
        open_key = hmac.new(b"funnel", place.encode(), "sha256").hexdigest()
        return LabelKey(open_key, name, is_secret=False)
    _refuse_weak(secret, str(file))
    return LabelKey(secret, name)


def key_file(name: str) -> Path:
    """File that a key of this name is, or would be, saved in."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "funnel" / "keys" / name


def _refuse_weak(key: str, where: str) -> None:
    is_hex = len(key) >= _LEAST_DIGITS and re.fullmatch("[0-9a-fA-F]+", key)
    repeats = key in (key + key)[1:-1]  # also every key that is one part over and over
    if not is_hex or repeats or len(set(key.lower())) < _LEAST_DIFFERENT:
        raise ParameterError(
            f"The key in {where} could be guessed, and the labels of people undone with it: it "
            f"must be at least {_LEAST_DIGITS} hexadecimal digits (128 bits) drawn at random. "
            f"Nothing was loaded. `{_MAKE_KEY}` prints one."
        )


def _saved_key(file: Path) -> str:
    """The saved key, made where there is none; two processes at once get the same one."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_hex(32))
        try:
            os.link(mine, file)  # whole or not at all, and only the first one counts
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    key = file.read_text(encoding="ascii").strip()
    if not key:
        raise OSError("the key is empty")
    return key
