"""Findings: what is odd in the rows but usable, each with a count, three ids and a question.

Nothing here changes a row. Each finding is a query over the checked tables, run when the findings
are first needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.tables import TABLES, Table
from funnel.dataset import record_files, spellings, test_records
from funnel.dataset.engine import literal, quoted
from funnel.dataset.table_reader import Oddity

if TYPE_CHECKING:
    from funnel.contract.plan import Plan
    from funnel.dataset import Tables
    from funnel.dataset.table_reader import Reader

COLUMNS = ("table", "what", "n", "examples", "says", "owner", "question", "money", "since")
_STOPPED_DAYS = 14
_MOST_SHOWN, _LONGEST = 3, 40  # words of a finding, and letters of each
_ARE_TESTS = "Are these test records? `funnel check` prints the line for `[records]`."
# for each oddity, or the first word of it: what is reported of the rows, and the question
_ODDITIES = {
    "unknown": (
        "{has_a} `{column}` other than {words}{listed}; it counts as not recorded",
        "What is meant, in words of {words}?",
    ),
    "unknown_kind": (
        "{has} a `kind` other than {words}{listed}; it counts as new business",
        "Which of {words} is it, for a line of `[records] aliases.kind` in the plan?",
    ),
    "unread": (
        "{has_a} `{column}` that cannot be read, such as {cell}; it counts as not recorded",
        "What does the system hold there?",
    ),
    "empty": (
        "{has} no `{column}`; all that does not need it is used",
        "Can the export fill it?",
    ),
    "unlinked": (
        "{has_a} `{column}` that is not in {other}; the row is used without it",
        "Were these records of {other} merged or deleted, or are they missing in the export?",
    ),
    "several": (
        "{has_a} `{column}` that fits more than one key of {other}, once leading zeros, capitals "
        "or the last three characters are left out; the row is used without it",
        "Can the export hold the keys as they are?",
    ),
    "zeros": (
        "{has_a} `{column}` with other leading zeros than in {other}; each fits one key there, and "
        "is read as that one",
        "Did a spreadsheet drop the leading zeros?",
    ),
    "float": (
        "{has_a} `{column}` that is written with `.0` in one of the two tables; each fits one key "
        "of {other}, and is read as that one",
        "Were the keys read as numbers on their way?",
    ),
    "marks": (
        "{has_a} `{column}` that is written with marks of thousands in one of the two tables; each "
        "fits one key of {other}, and is read as that one",
        "Were the keys read as numbers on their way?",
    ),
    "capitals": (
        "{has_a} `{column}` in other capitals than in {other}; each fits one key there, and is "
        "read as that one",
        "Can both exports hold the keys as they are?",
    ),
    "rounded": (
        "{has_a} `{column}` that a spreadsheet wrote as a power of ten; its last digits are lost, "
        "and the row is used without it",
        "Can the export hold the keys as text?",
    ),
    "salesforce": (
        "{has_a} `{column}` of 15 characters where {other} {has} 18, or the other way round; each "
        "fits one key there by its first 15, capitals counted, and is read as that one",
        "Can both exports hold the 18 characters?",
    ),
    "excluded": (
        "{has_a} `{column}` of {other} that the plan excludes; the row is used without it",
        "Do these rows belong to test records too?",
    ),
    "followed": (
        "{has_a} `{column}` that the plan's `[records] merged` reads as that of another record",
        "Can the export hold the keys that are used now?",
    ),
    "folded": (
        "{is} not used, since the plan's `[records] merged` makes each of them part of another row",
        "Does the other row hold what counts?",
    ),
    "converted": (
        "{has} `{column}` in another currency, converted at the plan's rates: {sums}",
        "Are these the rates that the company plans with?",
    ),
    "inverted": (
        "{has} `{column}` converted at the plan's rates, and those in {codes} would be much closer "
        "to the others at the reciprocal",
        'Is a rate own money per unit of the other (`rates_per = "foreign"`), or the reverse?',
    ),
    "unconverted": (
        "{has} `{column}` in a currency or on a day without a rate in the plan's `rates`; the "
        "money is unknown, and no total holds it: {sums}",
        "Which rate holds for them (in a file that `[records] rates` names), or is the plan's "
        "`currency` another one?",
    ),
    "alias": (
        "{has_a} `{column}` that the plan's `[records] aliases` reads as another word",
        "Can the system hold one word for one thing?",
    ),
    "spelled_owner": (
        "{has} another spelling of an owner than most rows, in capitals or blanks; they count as "
        "one person",
        "Is this one person?",
    ),
    "spelled": (
        "{has} another spelling of `{column}` than most rows, in capitals or blanks{listed}; they "
        "count as one",
        "Can the system hold one spelling?",
    ),
    "near": (
        "{has_a} `{column}` that differs from a more frequent one by hyphens, blanks or accents "
        "only{listed}; each is counted by itself",
        "Is this one thing? `funnel check` prints the line for `[records]`.",
    ),
    "noted": (
        "{has_a} `{column}` that is another one with a note{listed}; each is counted by itself",
        "Is this one reason? `funnel check` prints the line for `[records]`.",
    ),
    "alike": (
        "{has_a} `{column}` that may mean the same as a more frequent one{listed}; each is counted "
        "by itself",
        "Is this one reason? `funnel check` prints the line for `[records]`.",
    ),
    "joined": (
        "{has} several reasons in one cell of `{column}`{listed}; together they are no reason of "
        "their own",
        "Which of the reasons decided?",
    ),
    "placeholder": (
        "{has} a word in `{column}` that stands for nothing known{listed}; it counts as not "
        "recorded and is not ranked",
        "What was it, and can the system leave such a cell empty?",
    ),
    "test": (
        "{has} a word for tests in `{column}` (test, demo, dummy, do not use), and {is} counted "
        "like any other",
        _ARE_TESTS,
    ),
    "repeated_address": (
        "{has} an address that is on far more leads than any other, and {is} counted like any "
        "other",
        _ARE_TESTS,
    ),
    "placeholder_amounts": (
        "{has} an amount such as people type to fill a field{listed}, and {is} counted like any "
        "other",
        _ARE_TESTS,
    ),
    "closed_before_created": (
        "{was} closed before being created; closing date and money are used, and the duration is "
        "unknown",
        "Was the deal entered afterwards, or is one of the two dates wrong?",
    ),
    "closed_after_data": (
        "{is} won or lost on a day after the data ends, and not used",
        "Are these closing dates mistyped?",
    ),
    "rejected_money": (
        "{is} rejected, and may be won: no total holds the money",
        "Can their key, outcome or closing date be corrected?",
    ),
    "repeated_deals": (
        "{is} not used, since another row with more cells filled has the same `deal_id`; they "
        "differ in {columns}",
        "Why is a deal there twice, and which row is right?",
    ),
    "equal_shares": (
        "{has} the `deal_id` of another row with another owner or product and the same amount; "
        "each deal is counted once",
        'Are these equal shares of one deal, which `split_deals = "sum"` under `[records]` adds up '
        '(`"first"`: they are not)?',
    ),
    "split_deals": (
        "{has} the `deal_id` of another row with another owner, product or amount; "
        "{how}, as the plan says",
        "Are these shares of one deal?",
    ),
    "merged_deals": (
        "{is} not used, since another row is equal in all but `deal_id`",
        "Were these records merged, or is one deal there under two keys?",
    ),
}
_OF_ALL = {
    "excluded": (
        "{is} excluded by the plan (`[records] exclude.{key}`)",
        "Are these the rows that were meant?",
    ),
}
_SPLITS = {"sum": "their amounts are added up", "first": "one row of each deal is used"}
_EARLIEST = "1970-01-01"


@dataclass(frozen=True)
class Finding:
    """Something odd in a table: a short code, the number of rows, three ids, and a question.

    `money` is what was won by these rows, where they are deals; `since` is the day of the first
    one (ISO 8601), empty where that is unknown.
    """

    table: str
    what: str
    n: int
    examples: str
    says: str
    question: str
    owner: str = ""
    money: float | None = None
    since: str = ""

    def row(self) -> tuple[Any, ...]:
        """Values in the order of `COLUMNS`."""
        known = {**asdict(self), "owner": self.owner or TABLES[self.table].owner}
        return tuple(known[name] for name in COLUMNS)


def gather(data: Tables) -> pd.DataFrame:
    """Findings of a dataset: those made while reading, and those of every check here.

    Returns
    -------
    DataFrame
        One row per finding: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`,
        `money`, `since`.
    """
    found = list(data.load_findings)
    for check in _CHECKS:
        found += check(data)
    order = {name: position for position, name in enumerate(TABLES)}
    found.sort(key=lambda finding: (order.get(finding.table, -1), finding.what))
    frame = pd.DataFrame([finding.row() for finding in found], columns=list(COLUMNS))
    numbers = {"n": "int64", "money": "float64"}
    return frame.astype({name: "str" for name in COLUMNS if name not in numbers} | numbers)


def unknown_file(name: str) -> Finding:
    """Finding: a file that is no table."""
    return Finding(
        table="",
        what="unknown_file",
        n=1,
        examples=name,
        says=f"{name} is no table of the contract and was not read.",
        question="Is it a table under another name, or can it be left out of the folder?",
        owner="Both teams",
    )


def open_key(variable: str) -> Finding:
    """Finding: anyone who knows the folder's path can make the hashes again."""
    return Finding(
        table="",
        what="open_key",
        n=1,
        examples="",
        says="The key that identities are hashed with could not be saved, so it was made from the "
        "folder's path (of frames, from a fixed word): whoever knows it can make the hashes again.",
        question=f"Can {variable} be set, or the state folder be made writable?",
        owner="Both teams",
    )


def of_file(table: str, what: str, says: str) -> Finding:
    """Finding: something about a file itself."""
    return Finding(table, what, 1, "", says, "Can the export be set up so that it fits as it is?")


def of_oddities(reader: Reader, currency: str) -> list[Finding]:
    """Findings: rows that are used with something blanked or changed, and repeats of deals."""
    return [
        _of_oddity(reader.table, what, odd, currency)
        for what, odd in reader.oddities.items()
        # such a link is part of `cut_leads`
        if not (what == "unlinked_lead_id" and reader.leads_begin)
    ]


def _of_oddity(table: Table, what: str, odd: Oddity, currency: str) -> Finding:
    kind, _, column = what.partition("_")
    texts = _ODDITIES if column else _OF_ALL
    says, question = texts.get(what, texts.get(kind)) or ("", "")
    words = table.by_name[column].choices if kind == "unknown" else ()
    columns = ", ".join(f"`{name}`" for name in odd.of.get("columns", ())) or "nothing else"
    has = "has" if odd.n == 1 else "have"
    facts = {
        "column": column,
        "has_a": f"{has} an" if column.startswith(("a", "e", "i", "o")) else f"{has} a",
        "key": odd.of.get("key", ""),
        "cell": odd.of.get("cell", ""),
        "codes": ", ".join(odd.of.get("codes", ())),
        "sums": _sums(odd.of.get("sums", ())),
        "words": ", ".join(words),
        "other": next((r.table for r in table.references if r.column == column), ""),
        "columns": columns,
        "has": has,
        "was": "was" if odd.n == 1 else "were",
        "is": "is" if odd.n == 1 else "are",
        "how": _SPLITS.get(odd.of.get("how", ""), ""),
        "listed": _listed_words(odd.of.get("words", {})),
    }
    return Finding(
        table=table.name,
        what=what,
        n=odd.n,
        examples=", ".join(odd.examples),
        says=f"{_rows(odd.n, table.name, '', '').strip()} {says.format_map(facts)}."
        f"{_won(odd.money, currency, table.name)}",
        question=question.format_map(facts),
        money=odd.money,
        since=odd.since.isoformat() if odd.since else "",
    )


def _listed_words(words: Mapping[str, str]) -> str:
    """Some words in brackets, each with the word that it may mean."""
    if not words:
        return ""
    shown = [
        f"{_cut(word)} as {_cut(meant)}" if meant else _cut(word)
        for word, meant in list(words.items())[:_MOST_SHOWN]
    ]
    return f" ({', '.join(shown)}{', ...' * (len(words) > _MOST_SHOWN)})"


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 3]}..."


def _sums(sums: Iterable[tuple[str, int, float]]) -> str:
    """Amounts by currency: `USD 1,200.00 (3 rows)`."""
    by_code: dict[str, tuple[int, float]] = {}
    for code, n, money in sums:
        # anything else in that column may be a cell of another
        name = code if len(code) == 3 and code.isalpha() else "no currency"
        before = by_code.get(name, (0, 0.0))
        by_code[name] = before[0] + n, before[1] + money
    return ", ".join(
        f"{name} {money:,.2f} ({n:,} {'row' if n == 1 else 'rows'})"
        for name, (n, money) in by_code.items()
    )


def of_events(plan: Plan) -> list[Finding]:
    """Findings: what the plan says happened to the records."""
    return [
        Finding(
            table="",
            what="event",
            n=1,
            examples="",
            says=f"The plan names {event.on} as the day of a change of the records: {event.what}.",
            question="Which columns did it change, and from which day on?",
            owner="Both teams",
            since=event.on.isoformat(),
        )
        for event in plan.records.events
    ]


def cut_leads(readers: Iterable[Reader], currency: str) -> list[Finding]:
    """Finding: leads begin on a day, and other tables refer to leads from before it."""
    cut = [reader for reader in readers if reader.leads_begin]
    if not cut:
        return []
    open_links = {
        reader.name: odd
        for reader in cut
        if (odd := reader.oddities.get("unlinked_lead_id")) is not None
    }
    n_open = {name: odd.n for name, odd in open_links.items()}
    n = {reader.name: reader.n_cut + n_open.get(reader.name, 0) for reader in cut}
    listed = ", ".join(f"{name} {rows:,}" for name, rows in n.items())
    money = open_links["deals"].money if "deals" in open_links else None
    n_rejected = sum(reader.n_cut for reader in cut)
    rejected = f" Rows of these that are nothing without a lead are rejected: {n_rejected:,}."
    begin = cut[0].leads_begin
    return [
        Finding(
            table="leads",
            what="cut_by_date",
            n=sum(n.values()),
            examples=", ".join(open_links["deals"].examples) if "deals" in open_links else "",
            says=f"leads begin on {begin}, and rows of other tables refer to leads that are not "
            f"there ({listed}), most of them from before that day. What older deals came from is "
            f"unknown.{_won(money, currency)}{rejected if n_rejected else ''}",
            question="Was the export of leads cut by date, and can it hold the earlier ones?",
            money=money,
            since=begin.isoformat(),
        )
    ]


def _won(money: float | None, currency: str, table: str = "deals") -> str:
    what = "Money of these deals" if table == "deals" else "Won from these leads"
    return f" {what}: {money:,.2f} {currency}." if money else ""


def later_than_data(wanted: dt.date, newest: dt.date) -> Finding:
    """Finding: the `as_of` given is later than the data."""
    n = (wanted - newest).days
    return Finding(
        "leads",
        "as_of_after_data",
        n,
        "",
        f"as_of is {wanted}, and the newest day of ordinary activity is {newest}: the "
        f"{'day' if n == 1 else f'{n:,} days'} since count as days without any activity.",
        "Is the export up to date?",
        owner="Marketing Ops and Sales Ops",
    )


def strays(table: str, n: int, examples: list[str] | None, as_of: dt.date) -> Finding:
    """Finding: rows dated after the newest day of ordinary activity."""
    return Finding(
        table,
        "stray_rows",
        n,
        ", ".join(examples or ()),
        f"{_rows(n, table, 'lies', 'lie')} after {as_of}, the newest day of ordinary activity, and "
        f"{'is' if n == 1 else 'are'} not used.",
        "Is this date mistyped?" if n == 1 else "Are these dates mistyped?",
    )


def _rows(n: int, table: str, one: str, more: str) -> str:
    """Beginning of a sentence on some rows, with its verb in the singular or plural."""
    return f"1 row of {table} {one}" if n == 1 else f"{n:,} rows of {table} {more}"


def _counted(
    data: Tables, table: str, what: str, query: str, says: Callable[[int], str], question: str
) -> list[Finding]:
    """Finding of a query that gives how many rows, and three ids; none where it counts no row."""
    n, examples = data.engine.rows(query)[0]
    if not n:
        return []
    listed = ", ".join(str(example) for example in examples or [])
    return [Finding(table, what, n, listed, says(n), question)]


def _early_rows(data: Tables) -> list[Finding]:
    found = []
    for name, table in TABLES.items():
        if table.happened and data.has(name):
            key = quoted((table.key or table.required)[0])
            found += _counted(
                data,
                name,
                "early_rows",
                f"select count(*), min({key}, 3) from {name} "
                f"where {quoted(table.happened)} < date '{_EARLIEST}'",
                lambda n, name=name: f"{_rows(n, name, 'lies', 'lie')} before {_EARLIEST[:4]}.",
                "Does such a date stand for a missing one?",
            )
    return found


def _repeated_touches(data: Tables) -> list[Finding]:
    if not data.has("touches"):
        return []
    same = [name for name in TABLES["touches"].by_name if name != "touch_id"]
    listed = ", ".join(quoted(name) for name in [*same, *data.extras.get("touches", ())])
    return _counted(
        data,
        "touches",
        "repeated_touches",
        f"select coalesce(sum(n - 1), 0)::bigint, min(coalesce(lead_id, account_id), 3) from "
        f"(select lead_id, account_id, count(*) as n from touches group by {listed} "
        "having count(*) > 1)",
        lambda n: (
            f"{_rows(n, 'touches', 'repeats', 'repeat')} another in everything but `touch_id`."
        ),
        "Was one contact recorded twice, or did two take place within the same second?",
    )


def _repeated_leads(data: Tables) -> list[Finding]:
    """Finding: leads of one account, created in the same second, equal in all but their key."""
    if not data.has("leads", "account_id"):
        return []
    names = [*TABLES["leads"].by_name, *data.extras.get("leads", ())]
    listed = ", ".join(quoted(name) for name in names if name not in ("lead_id", "email"))
    return _counted(
        data,
        "leads",
        "repeated_leads",
        f"select coalesce(sum(n - 1), 0)::bigint, min(key, 3) from "
        f"(select max(lead_id) as key, count(*) as n from leads where account_id is not null "
        # on one day, whose hour is not known, two may well be two
        "and (extract(minute from created_at) % 15 <> 0 or extract(second from created_at) <> 0) "
        f"group by {listed} having count(*) > 1)",
        lambda n: (
            f"{_rows(n, 'leads', 'is', 'are')} of the account and the second of another one, and "
            f"equal to it in all but the key; {'it counts' if n == 1 else 'they count'} twice."
        ),
        "Were these records merged, or is one person there under two keys?",
    )


def _deals_without_amount(data: Tables) -> list[Finding]:
    if not data.has("deals", "amount"):
        return []
    return _counted(
        data,
        "deals",
        "won_without_amount",
        "select count(*), min(deal_id, 3) from deals "
        "where outcome = 'won' and coalesce(amount, 0) <= 0",
        lambda n: (
            f"{_rows(n, 'deals', 'is', 'are')} won with no amount, zero or less: it counts among "
            "wins, and its money is unknown."
        ),
        "For how much?",
    )


def _odd_rows(data: Tables, name: str, condition: str, **of: Any) -> Oddity:
    """What rows of a loaded table that meet a condition have in common, and their won money."""
    table = TABLES[name]
    keys = ", ".join(map(quoted, ((table.key or table.required)[0], *table.needs_one_of)))
    key, day, won = f"coalesce({keys})", quoted(table.happened or ""), "cast(null as double)"
    if name == "deals":
        day = "coalesce(closed_at, created_at)"
        won = f"sum({'mrr' if data.plan.measure == 'mrr' else 'amount'}) filter (outcome = 'won')"
    elif name == "leads" and data.has("deals", "lead_id", "amount"):
        leads = f"(select lead_id from leads where {condition})"
        won = f"(select sum(amount) from deals where outcome = 'won' and lead_id in {leads})"
    n, examples, money, since = data.engine.rows(
        f"select count(*), min({key}, 3), {won}, "
        f"{f'cast(min({day}) as date)' if table.happened else 'null'} "
        f"from {name} where {condition}"
    )[0]
    return Oddity(n, list(map(str, examples or ())), money, since, of)


def _owners(data: Tables) -> list[Finding]:
    """Findings: deals without an owner, where most have one, and owners that are not in reps."""
    if not data.has("deals", "owner"):
        return []
    conditions = {"no_owner": ("owner is null", "have no owner", "Who worked these deals?")}
    if data.has("reps"):
        conditions["unlinked_owner"] = (
            "owner is not null and owner not in (select owner from reps)",
            "have an owner that is not in reps",
            "Did these people leave, or are they a queue or an id in place of a name?",
        )
    found = []
    of = data.engine.rows("select count(*) from deals")[0][0]
    for what, (condition, says, question) in conditions.items():
        odd = _odd_rows(data, "deals", condition)
        if odd.n:
            share = f"{odd.n:,} of {of:,} rows of deals ({odd.n / of:.0%})"
            won = _won(odd.money, data.plan.company.currency)
            found.append(
                Finding(
                    table="deals",
                    what=what,
                    n=odd.n,
                    examples=", ".join(odd.examples),
                    says=f"{share} {says}; each counts in every total.{won}",
                    question=question,
                    money=odd.money,
                    since=odd.since.isoformat() if odd.since else "",
                )
            )
    return found


def _words(data: Tables) -> list[Finding]:
    """Findings: words of a column that may not be values of their own, by kind."""
    grouped: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in data.odd_words:
        meant = "" if each.kind == spellings.PLACEHOLDER else each.meant
        grouped.setdefault((each.table, each.kind, each.column), {})[each.word] = meant
    return [
        _of_oddity(TABLES[table], f"{kind}_{column}", odd, data.plan.company.currency)
        for (table, kind, column), words in grouped.items()
        if (odd := _odd_rows(data, table, _is_in(column, words), words=words)).n
    ]


def _is_in(column: str, values: Iterable[str]) -> str:
    return f"{quoted(column)} in ({', '.join(map(literal, values))})"


def _test_records(data: Tables) -> list[Finding]:
    """Findings: an address on many leads, and amounts that fill a field."""
    found = []
    if data.has("leads"):
        column, addresses = test_records.repeated_addresses(data.engine)
        if addresses:
            odd = _odd_rows(data, "leads", _is_in(column, addresses))
            found.append(("leads", "repeated_address", odd))
    if data.has("deals", "amount"):
        amounts = test_records.placeholder_amounts(data.engine)
        if amounts:
            condition = f"amount in ({', '.join(map(repr, amounts))})"
            words = {f"{amount:,.2f}".removesuffix(".00"): "" for amount in amounts}
            odd = _odd_rows(data, "deals", condition, words=words)
            found.append(("deals", "placeholder_amounts", odd))
    return [
        _of_oddity(TABLES[table], what, odd, data.plan.company.currency)
        for table, what, odd in found
    ]


def _out_of_order(data: Tables) -> list[Finding]:
    found = []
    if data.has("leads", "assigned_at"):
        found += _counted(
            data,
            "leads",
            "assigned_before_created",
            "select count(*), min(lead_id, 3) from leads where assigned_at < created_at",
            lambda n: f"{_rows(n, 'leads', 'was', 'were')} assigned before being created.",
            "Which of the two times is right?",
        )
    if not data.has("leads"):
        return found
    if data.has("stage_changes"):
        found += _counted(
            data,
            "stage_changes",
            "before_lead",
            "select count(*), min(s.lead_id, 3) from stage_changes s join leads l using (lead_id) "
            "where s.entered_at < l.created_at",
            lambda n: f"{_rows(n, 'stage_changes', 'lies', 'lie')} before the lead was created.",
            "Was the lead created again, or were stages moved from another system?",
        )
    if data.has("deals", "lead_id"):
        found += _counted(
            data,
            "deals",
            "closed_before_lead",
            "select count(*), min(d.deal_id, 3) from deals d join leads l using (lead_id) "
            "where d.closed_at < l.created_at",
            lambda n: f"{_rows(n, 'deals', 'was', 'were')} closed before the lead was created.",
            "Was the lead linked to the deal afterwards?",
        )
    return found


def _stopped_early(data: Tables) -> list[Finding]:
    """Findings: tables that end at least two weeks before the last day that the data covers."""
    found = []
    for name in ("touches", "activities", "stage_changes", "spend"):
        if not data.has(name):
            continue
        happened = TABLES[name].happened
        newest = data.engine.rows(f"select cast(max({happened}) as date) from {name}")[0][0]
        n = (data.as_of - newest).days
        if n > _STOPPED_DAYS:
            found.append(
                Finding(
                    name,
                    "stopped_early",
                    n,
                    "",
                    f"{name} end on {newest}, {n:,} days before {data.as_of}.",
                    "Did the export or the tracking stop, or has nothing happened since?",
                )
            )
    return found


def _extra_columns(data: Tables) -> list[Finding]:
    found = []
    for name, every in data.extras.items():
        columns = [each for each in every if each != record_files.currency_column(every)]
        if columns:
            listed = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
            found.append(
                Finding(
                    name,
                    "extra_columns",
                    len(columns),
                    ", ".join(columns[:3]),
                    (
                        f"{name} have a column that the contract does not name ({listed}); it is "
                        "kept, and may be used as a segment."
                        if len(columns) == 1
                        else f"{name} have {len(columns)} columns that the contract does not name "
                        f"({listed}); they are kept, and may be used as segments."
                    ),
                    "Is one of them a column of the contract under another name?",
                )
            )
    return found


_CHECKS = (
    _early_rows,
    _repeated_touches,
    _repeated_leads,
    _deals_without_amount,
    _owners,
    _words,
    _test_records,
    _out_of_order,
    _stopped_early,
    _extra_columns,
)
