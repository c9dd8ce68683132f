"""Identities become keyed hashes while a table is read, before anything else can use them.

The key comes from the environment, or is made once per company and saved outside its folder, so
that nobody can undo a hash from the pages alone. The same value has the same hash in every table,
so that joins work as before.

References
----------
The two-pass keyed hash follows HMAC (Krawczyk, Bellare and Canetti 1997, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from funnel.contract.tables import TABLES, Kind
from funnel.dataset.casts import LONGEST_TEXT, is_simple
from funnel.dataset.engine import Engine, literal

KEY_VARIABLE = "FUNNEL_HASH_KEY"
# characters that no page should show: controls, soft hyphens, direction and byte-order marks
_STRANGE = (
    r"\x00-\x1f\x7f-\x9f\x{ad}\x{61c}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{2069}"
    r"\x{feff}\x{fff9}-\x{fffb}"
)
_EMAIL = r"[^\s@,;:<>()\[\]\"|]+@[^\s@,;:<>()\[\]\"|]*[^\s@,;:<>()\[\]\"|.!?]"
_PLUS_PHONE = r"\+\(?\d[\d\s().\x{a0}/-]{5,}\d|\(\+?\d{1,5}\)[\s./-]?\d[\d\s./-]{4,}\d"
_PHONE = (
    rf"{_PLUS_PHONE}|(?:^|[\s:,;])0\d{{2,5}}[ /.-]{{1,3}}\d[\d /.-]{{3,}}\d"
    r"|\b(?:1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}\b|\b(?:\d{2}[ .-]){4}\d{2}\b|\b\d{10,15}\b"
)
_IDENTITY_ENDINGS = frozenset(
    """email e_mail mail email_address e_mail_address mail_address phone phone_number telephone
    telephone_number tel mobile mobile_number cell_phone fax fax_number first_name firstname
    last_name lastname surname full_name fullname given_name family_name contact contact_name
    contact_person person person_name lead_name customer_name company_name ip ip_address linkedin
    linkedin_url""".split()  # noqa: SIM905 - a list of thirty quoted words reads worse
)
_PERSON_ENDINGS = frozenset(
    """owner owner_name rep rep_name sales_rep salesperson sdr bdr account_executive changed_by
    created_by modified_by assigned_to manager""".split()  # noqa: SIM905
)


def kind_by_name(name: str) -> Kind:
    """Kind of a column that the contract does not name, by whether its name speaks of people.

    Examples
    --------
    >>> [kind_by_name(name).value for name in ("Work E-Mail", "sales_rep", "email_opens")]
    ['identity', 'person', 'text']
    """
    words = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_").split("_")
    plain = "_".join(words)
    for table in TABLES.values():
        column = table.by_name.get(plain)
        if column is not None and column.kind in (Kind.PERSON, Kind.IDENTITY):
            return column.kind
    endings = {"_".join(words[start:]) for start in range(len(words))}
    if plain == "name" or endings & _IDENTITY_ENDINGS:
        return Kind.IDENTITY
    return Kind.PERSON if endings & _PERSON_ENDINGS else Kind.TEXT


def install(engine: Engine, key: str) -> None:
    """Define the engine's macros that protect cells.

    `_hashed` and `_labelled` replace a whole cell. `_odd` finds the few cells that hold something
    to remove; `_cleaned` removes it from a text, and `_cleaned_id` from a key.
    """
    engine.execute("set variable funnel_key = $key", key=key)
    odd = rf"[@{_STRANGE}]|[+(]\+?\(?\d|\d[\d\s().\x{{a0}}/-]{{5,}}\d"
    odd_id = rf"[@{_STRANGE}]|[+(]\+?\d"
    phone_or_mail = literal(f"{_EMAIL}|{_PHONE}")
    strange = literal(f"[{_STRANGE}]+")
    longest = LONGEST_TEXT
    # lambdas, since a macro repeats the text of its argument at every use
    for macro in (
        "_keyed(x) as sha256(getvariable('funnel_key') || sha256(getvariable('funnel_key') || x))",
        "_same(x) as regexp_replace(lower(trim(x)), '\\s+', ' ', 'g')",
        "_hashed(x) as 'id-' || left(_keyed(_same(x)), 16)",
        "_labelled(x) as 'rep-' || left(_keyed(_same(x)), 8)",
        f"_odd(x) as strlen(x) > {longest} or regexp_matches(x, {literal(odd)})",
        # most keys are simple, and that test takes a fifth of the time
        f"_odd_id(x) as strlen(x) > {longest} or case when {is_simple('x')} then false "
        f"else regexp_matches(x, {literal(odd_id)}) end",
        "_without(x, found) as array_to_string(list_transform(list_zip("
        "regexp_split_to_array(x, found), regexp_extract_all(x, found)), "
        # the blank before a number that begins with 0 tells it from a date, and stays
        "lambda part: part[1] || coalesce(regexp_extract(part[2], '^[\\s:,;]') || "
        "_hashed(ltrim(part[2], ' :,;')), '')), '')",
        # identities go before the text is cut short, so that none is cut in two and kept
        "_cleaned(x) as list_transform(list_transform([regexp_replace(x, "
        f"{strange}, ' ', 'g')], lambda y: _without(y, {phone_or_mail})), lambda z: nullif(trim("
        f"case when length(z) > {longest} then left(z, {longest - 1}) || '…' else z end), ''))[1]",
        # a key must stay different from every other, so it is replaced as a whole
        "_cleaned_id(x) as 'id-' || left(_keyed(x), 16)",
    ):
        engine.execute(f"create or replace macro {macro}")


def protected(kind: Kind, cell: str, *, is_odd: bool = True) -> str:
    """SQL of what may be shown of a text cell.

    Parameters
    ----------
    kind
        What the column holds.
    cell
        SQL that names the bare cell.
    is_odd
        Whether some cell of the column may hold an identity, a control character or too much.
    """
    if kind is Kind.IDENTITY:
        return f"_hashed({cell})"
    if kind is Kind.PERSON:
        return f"_labelled({cell})"
    if not is_odd:
        return cell
    if kind is Kind.ID:
        return f"case when _odd_id({cell}) then _cleaned_id({cell}) else {cell} end"
    return f"case when _odd({cell}) then _cleaned({cell}) else {cell} end"


def key_for(folder: Path | None) -> tuple[str, bool]:
    """Key that identities are hashed with, and whether it is secret.

    Parameters
    ----------
    folder
        The company's folder; None for data from frames, which have no folder to save a key for.

    Returns
    -------
    tuple
        The key, and whether it is secret. A key that could not be saved is made from the folder's
        path, and anyone who knows the path can make it again.
    """
    given = os.environ.get(KEY_VARIABLE, "")
    if given:
        return given, True
    if folder is None:
        return "frames", True
    place = str(folder.resolve())
    name = hashlib.sha256(place.encode()).hexdigest()[:32]
    try:
        return _saved_key(_state_folder() / "keys" / name), True
    except (OSError, RuntimeError):  # RuntimeError: no home folder is known
        return hmac.new(b"funnel", place.encode(), "sha256").hexdigest(), False


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "funnel"


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
