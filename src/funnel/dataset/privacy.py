"""Identities become keyed hashes while a table is read, before anything else can use them.

The same value has the same hash in every table, so that joins work as before. The key is that of
`label_key`. What the patterns are is written in `contract.outgoing_text`.

References
----------
The two-pass keyed hash follows HMAC (Krawczyk, Bellare and Canetti 1997, RFC 2104).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from funnel.contract.outgoing_text import MAIL, ODD, ODD_KEY, PHONE, STRANGE, WRITTEN_PHONE
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.casts import LONGEST_TEXT, PHONE_KEY, is_key
from funnel.dataset.engine import Engine, literal

HIDDEN = "(hidden)"
# two words or more, of letters only: a key that is somebody's name
_NAME = r"^\pL[^\s\d]*(?: \pL[^\s\d]*)+$"
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
_FREE_ENDINGS = frozenset(
    """note notes comment comments remark remarks description message memo free_text
    feedback_text""".split()  # noqa: SIM905
)

# owners are often roles and queues, which pages may name
ROLE_WORDS = frozenset(
    """account admin business chief customer demand desk development director executive field
    growth head inbound inside junior lead leader manager marketing of office officer operations
    ops outbound partner pool president queue regional rep representative round robin sales sdr
    senior service success support system team unassigned vice vp""".split()  # noqa: SIM905
)
_ROLE = f"^(?:{'|'.join(sorted(ROLE_WORDS))})(?: (?:{'|'.join(sorted(ROLE_WORDS))}))+$"


def kind_by_name(name: str) -> Kind:
    """Kind of a column that the contract does not name, by whether its name speaks of people.

    Examples
    --------
    >>> [kind_by_name(name).value for name in ("Work E-Mail", "sales_rep", "email_opens", "Notes")]
    ['identity', 'person', 'text', 'free']
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
    if endings & _PERSON_ENDINGS:
        return Kind.PERSON
    return Kind.FREE if endings & _FREE_ENDINGS else Kind.TEXT


def install(
    engine: Engine,
    key: str,
    *,
    hides_free_text: bool = False,
    roles: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Define the engine's macros that protect cells.

    `_hashed` and `_labelled` replace a whole cell; of an owner, the role is shown where the plan
    names it in `roles`, or where the cell itself is a role of two words or more. `_odd` finds the
    few cells that hold something to remove; `_cleaned` removes it from a text, and `_cleaned_id`
    from a key. `_free` is what is shown of free text, and `_cleaned_path` of a file's name.
    """
    engine.execute("set variable funnel_key = $key", key=key)
    odd_id = f"{ODD_KEY}|{WRITTEN_PHONE}|{_NAME}|^(?:{PHONE_KEY})$"
    phone_or_mail = literal(f"{MAIL}|{PHONE}")
    strange = literal(f"[{STRANGE}]+")
    hidden = f"case when x is not null then {literal(HIDDEN)} end"
    longest = LONGEST_TEXT
    named = " ".join(
        f"when _same({literal(owner)}) then {literal(role)}" for owner, role in roles.items()
    )
    shown = f"case _same(x) {named} else _label(x) end" if named else "_label(x)"
    # lambdas, since a macro repeats the text of its argument at every use
    for macro in (
        "_keyed(x) as sha256(getvariable('funnel_key') || sha256(getvariable('funnel_key') || x))",
        "_same(x) as regexp_replace(lower(trim(x)), '\\s+', ' ', 'g')",
        "_hashed(x) as 'id-' || left(_keyed(_same(x)), 16)",
        f"_label(x) as case when regexp_matches(_same(x), {literal(_ROLE)}) then _same(x) "
        "else 'rep-' || left(_keyed(_same(x)), 8) end",
        f"_labelled(x) as {shown}",
        f"_odd(x) as strlen(x) > {longest} or regexp_matches(x, {literal(ODD)})",
        # most keys are simple, and that test takes a fifth of the time
        f"_odd_id(x) as strlen(x) > {longest} or case when {is_key('x')} then false "
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
        f"_free(x) as {hidden if hides_free_text else 'x'}",
        f"_cleaned_path(x) as regexp_replace(regexp_replace(x, {strange}, ' ', 'g'), "
        f"{literal(MAIL)}, '[e-mail]', 'g')",
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
        return f"_free({cell})" if kind is Kind.FREE else cell
    if kind is Kind.ID:
        return f"case when _odd_id({cell}) then _cleaned_id({cell}) else {cell} end"
    shown = f"case when _odd({cell}) then _cleaned({cell}) else {cell} end"
    return f"_free({shown})" if kind is Kind.FREE else shown
