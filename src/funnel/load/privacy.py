"""Identities become keyed hashes, once and everywhere, before anything else sees them.

The key comes from the environment, or is made once per company and kept outside its folder, so
that a hash means nothing to whoever has only the pages. The same value has the same hash in every
table, so that joins work as before.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from funnel.engine import Engine, literal
from funnel.tables import TABLES, Kind

KEY_VARIABLE = "FUNNEL_HASH_KEY"
_EMAIL = r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*"
_PHONES_IN_TEXT = (
    r"\+\d[\d\s().\x{a0}/-]{5,}\d|\(\d{2,5}\)[\s./-]?\d[\d\s./-]{4,}\d"
    r"|\b0\d{2,5}[ /.-]\d[\d /.-]{3,}\d|\b\d{3}[ .-]\d{3}[ .-]\d{4}\b|\b\d{10,15}\b"
)
_PHONES_IN_IDS = r"\+\d[\d\s().\x{a0}/-]{5,}\d|\(\d{2,5}\)[\s./-]?\d[\d\s./-]{4,}\d"
_IN_TEXT = f"{_EMAIL}|{_PHONES_IN_TEXT}"
_IN_IDS = f"{_EMAIL}|{_PHONES_IN_IDS}"
_IDENTITY_ENDINGS = (
    "email e_mail mail email_address mail_address phone phone_number telephone telephone_number "
    "tel mobile mobile_number cell_phone fax first_name firstname last_name lastname surname "
    "full_name fullname given_name family_name contact contact_name contact_person person "
    "person_name lead_name customer_name company_name ip ip_address linkedin linkedin_url"
).split()
_PERSON_ENDINGS = (
    "owner owner_name rep rep_name sales_rep salesperson sdr bdr account_executive changed_by "
    "created_by assigned_to manager modified_by"
).split()
_ALONE = {"name": Kind.IDENTITY}


def kind_by_name(name: str) -> Kind:
    """Say whether a column that the contract does not know names people.

    Examples
    --------
    >>> kind_by_name("Work E-Mail"), kind_by_name("sales_rep"), kind_by_name("email_opens")
    (<Kind.IDENTITY: 'identity'>, <Kind.PERSON: 'person'>, <Kind.TEXT: 'text'>)
    """
    plain = "_" + re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    for table in TABLES.values():
        column = table.by_name.get(plain[1:])
        if column is not None and column.kind in (Kind.PERSON, Kind.IDENTITY):
            return column.kind
    if plain[1:] in _ALONE:
        return _ALONE[plain[1:]]
    if any(plain.endswith("_" + ending) for ending in _IDENTITY_ENDINGS):
        return Kind.IDENTITY
    if any(plain.endswith("_" + ending) for ending in _PERSON_ENDINGS):
        return Kind.PERSON
    return Kind.TEXT


def install(engine: Engine, key: str) -> None:
    """Make `_hashed`, `_labelled`, `_scrubbed` and `_scrubbed_id` known to the engine.

    The hash is HMAC in spirit: the key goes in before and after, so that no hash can be extended.
    """
    engine.execute("set variable funnel_key = $key", key=key)
    engine.execute(
        "create or replace macro _keyed(x) as sha256(getvariable('funnel_key') || "
        "sha256(getvariable('funnel_key') || regexp_replace(lower(trim(x)), '\\s+', ' ', 'g')))"
    )
    engine.execute("create or replace macro _hashed(x) as 'id-' || left(_keyed(x), 16)")
    engine.execute("create or replace macro _labelled(x) as 'rep-' || left(_keyed(x), 8)")
    for name, pattern, numbers in (
        ("_scrubbed", _IN_TEXT, r"\d[\d\s().\x{a0}/-]{5,}\d"),
        ("_scrubbed_id", _IN_IDS, r"[+(]\d"),
    ):
        found = literal(pattern)
        engine.execute(
            f"create or replace macro {name}(x) as case when x is null then null "
            f"when contains(x, '@') or regexp_matches(x, {literal(numbers)}) then "
            f"array_to_string(list_transform(list_zip(regexp_split_to_array(x, {found}), "
            f"regexp_extract_all(x, {found})), "
            "lambda part: part[1] || coalesce(_hashed(part[2]), '')), '') else x end"
        )


def key_for(folder: Path | None) -> tuple[str, bool]:
    """Find the key that identities are hashed with.

    Parameters
    ----------
    folder
        The company's folder; None for data that comes from frames, which have no place to key by.

    Returns
    -------
    tuple
        The key, and whether it is secret: a key that could not be kept is made from the folder's
        path, and anyone who knows the path can make it again.
    """
    given = os.environ.get(KEY_VARIABLE, "")
    if given:
        return given, True
    if folder is None:
        return "frames", True
    place = str(folder.resolve())
    name = hashlib.sha256(place.encode()).hexdigest()[:32]
    file = _state_folder() / "keys" / name
    try:
        return _kept_key(file), True
    except OSError:
        return hmac.new(b"funnel", place.encode(), "sha256").hexdigest(), False


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "funnel"


def _kept_key(file: Path) -> str:
    """Read the key, or make it; two processes at once end with the same one."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_hex(32))
        try:
            os.link(mine, file)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return file.read_text(encoding="ascii").strip()
