"""Rejected rows, with their line and reason; and the stop where they are too many."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from funnel.contract.errors import TableError
from funnel.contract.outgoing_text import holds_identity
from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.contract.tables import Kind
from funnel.dataset import casts, csv_repair, links, privacy
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.row_checks import EXCLUDED, FILE, FOLDED, MERGED, ROW, day_of
from funnel.dataset.table_reader import MAY_BE_WON, Reader, money_of, numbered

AFTER, MISTYPED = "after as_of", "after the data ends"
REJECTED, REPEATED, LATER, LEFT_OUT = "rejected", "repeated", "after as_of", "excluded"
_TOTALS = frozenset({"total", "totals", "grand total", "sum", "subtotal", "gesamt", "summe"})
_HINT = " `funnel import mapping` reads other ways to write dates and decimals."
UNUSED_COLUMNS = ("table", "day", "state", "rows", "money")


def rejected_rows(engine: Engine, reader: Reader) -> pd.DataFrame:
    """Rows that are not used: the source's columns, then `file:`, `line:` and `reason:`."""
    source, name = reader.source, reader.name
    scan = numbered(source) if reader.is_big else f"raw.{name}"
    cells = [f'{quoted(given)} as "cell:{i}"' for i, given in enumerate(source.types)]
    rows = f"({reader.reading.all_rows(scan, ROW, FILE, *cells)})"
    excluded = EXCLUDED if reader.reading.excluded else "cast(null as varchar)"
    shown = []
    for i, (given, known) in enumerate(source.names.items()):
        column = source.table.by_name.get(known)
        kind = column.kind if column else privacy.kind_by_name(known)
        is_text = kind in (Kind.ID, Kind.FREE, Kind.PERSON, Kind.IDENTITY)
        kept = f'"cell:{i}"'
        text = casts.text(casts.bare(kept, source.types[given]), source.types[given])
        hidden = privacy.protected(kind if is_text else Kind.TEXT, text)
        if kind in casts.TIMES or (column and kind in casts.NUMBERS):
            # words where a figure belongs may be a person's name, in a row whose cells have shifted
            is_shown = f"_is_figure({text}) and not _is_long_number({text})"
            hidden = f"case when {is_shown} then {hidden} end"
        elif column and (column.choices or known == "stage"):
            is_hidden = f"{quoted(known)} is null and _is_name({text})"
            hidden = f"case when {is_hidden} then null else {hidden} end"
        heading = known if holds_identity(given) else given
        shown.append(f"{hidden} as {quoted(heading)}")
    twice = " and ".join(f"`{key}`" for key in reader.table.key) + " is there twice"
    joined, is_duplicate, repeats = "", "false", literal(twice)
    if reader.n_duplicates:
        joined = (
            f'left join (select {ROW}, {FILE}, "nth:", "like:", {FOLDED} '
            f"from rejected.{name}_duplicates "
            f'where "nth:" > 1) using ({ROW}, {FILE})'
        )
        is_duplicate = '"nth:" is not null'
        like = "'equal to ' || _key_shown(\"like:\") || ' in all but the key'"
        repeats = f'case when "like:" is null then {literal(twice)} else {like} end'
        if reader.folds:
            merged = f"{literal(f'`{reader.table.key[0]}` ')} || _key_shown({MERGED})"
            merged += (
                f" || ' is merged by the plan into ' || _key_shown({quoted(reader.table.key[0])})"
            )
            repeats = f"case when {FOLDED} then {merged} else {repeats} end"
    frame = engine.sql(
        f'select {", ".join(shown)}, _cleaned_path({FILE}) as "file:", {ROW} as "line:", '
        f"case when {excluded} is not null then {excluded} "
        f"when {reader.reading.is_broken} then {reader.reading.reason} "
        f"when {reader.mistyped} then {literal(f'closed {MISTYPED}')} "
        f"when {reader.after} then {literal(f'{AFTER} ({reader.as_of})')} "
        f'else {repeats} end as "reason:" '
        f"from {rows} {joined} "
        f"where ({reader.reading.is_broken}) or {reader.after} or {is_duplicate} "
        f"or {excluded} is not null "
        f"order by {FILE}, {ROW}"
    )
    if source.text is not None and not source.has_lines:
        frame["line:"] = frame["line:"].map(csv_repair.lines_of(source, frame["line:"].tolist()))
    if source.malformed:
        lines = pd.DataFrame(source.malformed, columns=["line:", "reason:"])
        frame = pd.concat([frame, lines.assign(**{"file:": source.label})], ignore_index=True)
        frame = frame.sort_values("line:", ignore_index=True)
    return frame


def unused_rows(
    engine: Engine, reader: Reader, plan: Plan
) -> tuple[tuple[str, str | None, str, int, float], ...]:
    """Rows of a table that are not used, and what deals were won for: by day and state.

    The state is `rejected`, `repeated`, `excluded` or `after as_of`. The day of a deal is that of
    the closing, else of the creation. A row without a readable outcome counts as won. A deal closed
    after `as_of` is used, as an open one, so it counts with its money only.
    """
    name, is_deals = reader.name, reader.name == "deals"
    if not (reader.n_rejected or reader.n_excluded or is_deals):
        return ()
    rows = f'(select *, 1 as "nth:" from {reader.numbered})'
    if reader.n_duplicates:
        duplicates = f'rejected.{name}_duplicates where "nth:" > 1'
        rows = (
            f'(select *, 1 as "nth:" from {reader.numbered} where ({FILE}, {ROW}) not in '
            f"(select {FILE}, {ROW} from {duplicates}) union all by name from {duplicates})"
        )
    if reader.n_excluded:
        rows = (
            f'(from {rows} union all by name select *, 0 as "nth:" from rejected.{name}_excluded)'
        )
    money = f"case when {MAY_BE_WON} then {money_of(reader, plan)} end" if is_deals else "null"
    state = (
        f"case when \"nth:\" = 0 then '{LEFT_OUT}' when \"nth:\" > 1 then '{REPEATED}' "
        f"when {reader.is_broken if reader.n_broken else 'false'} then '{REJECTED}' "
        f"when {reader.after} or {reader.closed_later} then '{LATER}' end"
    )
    counted = engine.rows(
        f"select '{name}', cast(day as varchar), state, "
        f"count_if(is_after or state <> '{LATER}'), coalesce(sum(money), 0) "
        f"from (select {day_of(reader.table, plan)} as day, {state} as state, "
        f"{reader.after} as is_after, cast({money} as double) as money from {rows}) "
        "where state is not null group by day, state order by all"
    )
    n_malformed = len(reader.source.malformed)
    unread = [(name, None, REJECTED, n_malformed, 0.0)] if n_malformed else []
    return (*counted, *unread)


def stop_at_too_many(
    engine: Engine, reader: Reader, plan: Plan, comparison: Comparison | None = None
) -> None:
    """Raise a `TableError` where more of a table is broken than the plan allows.

    That is a share of its rows, or of what its deals were won for: of all, and of each period of
    the comparison. Repeated deals, rows of leads from before a cut, and rows that the plan excludes
    or merges do not count: findings report them. The error names the most frequent reasons, each
    with some of its lines.
    """
    n_bad = reader.n_broken - reader.n_cut
    n_bad += 0 if reader.name == "deals" else reader.n_duplicates - reader.n_folded
    n_rows = reader.n_in - reader.n_after
    _stop_at_unread(reader, plan)
    if not n_bad:
        return
    share, of = n_bad / n_rows, f"{n_bad:,} of {n_rows:,} rows of {reader.source.label}"
    if share <= plan.max_rejected and comparison and not reader.n_cut:
        share, of = _largest_share(engine, reader, plan, comparison)
    if share <= plan.max_rejected:
        return
    rows = rejected_rows(engine, reader)
    rows = rows[~rows["reason:"].str.contains(f"{AFTER}|{MISTYPED}|by the plan")]
    # group by the reason without the quoted value, which differs from row to row
    kinds = rows["reason:"].str.replace(r": '.*?'|'.*?' ", " ", regex=True).str.strip()
    reasons = []
    for kind, n in kinds.value_counts(sort=True).head(3).items():
        lines = ", ".join(str(line) for line in rows.loc[kinds == kind, "line:"].head(3))
        one = rows.loc[kinds == kind, "reason:"].iloc[0]
        reasons.append(f"{one} ({n:,} {'row' if n == 1 else 'rows'}: line {lines})")
    raise TableError(
        f"{reader.name}: {of} {'breaks' if of.startswith('1 of') else 'break'} the contract, "
        f"{share:.0%}, and the plan allows {plan.max_rejected:.0%} (`max_rejected`). Most "
        f"frequent: {'; '.join(reasons)}. The other rows may no longer represent the whole table, "
        f"so nothing was computed. {reader.table.owner} can correct the export."
        f"{_hints(engine, reader, rows, reasons)}"
    )


def _hints(engine: Engine, reader: Reader, rows: pd.DataFrame, reasons: Sequence[str]) -> str:
    """What to do about rejected rows that have a usual cause."""
    is_format = any("not a plain number" in one or "not a date" in one for one in reasons)
    found = [_HINT] if is_format else []
    for one in reasons:
        if unknown := re.match(r"`(\w+)` is (?:none of|no stage)(?:.*?: '(.*?)' \()?", one):
            column, word = unknown[1], unknown[2] or "the file's word"
            found.append(
                f' The plan can translate words: `[records] aliases.{column} = {{ "{word}" = '
                '"the one that is meant" }`.'
            )
    found += [
        f" A spreadsheet wrote `{reference.column}` as a power of ten (1.23E+11) and its last "
        "digits are lost: the export must hold it as text."
        for reference in reader.table.references
        if any(f"is not in {reference.table}" in one for one in reasons)
        and links.has_rounded(engine, reader.name, reference.column)
    ]
    key = (reader.table.key or reader.table.required)[0]
    if key in rows:
        is_total = rows[key].astype("str").str.strip(" :").str.casefold().isin(_TOTALS)
        if is_total.any():
            line, word = rows.loc[is_total, ["line:", key]].iloc[0]
            found.append(
                f" Line {line} looks like the totals of the others: leave it out with `[records] "
                f"exclude.{reader.name} = \"{key} = '{word}'\"`."
            )
    return "".join(found)


def _stop_at_unread(reader: Reader, plan: Plan) -> None:
    """Stop where more cells of a column cannot be read than the plan allows."""
    for what, odd in reader.oddities.items():
        column = what.removeprefix("unread_")
        if column != what and odd.n > plan.max_rejected * reader.n_in:
            raise TableError(
                f"{reader.name}: `{column}` cannot be read in {odd.n:,} of {reader.n_in:,} rows of "
                f"{reader.source.label}, such as {odd.of['cell']}, and the plan allows "
                f"{plan.max_rejected:.0%} (`max_rejected`), so nothing was computed. "
                f"{reader.table.owner} can correct the export.{_HINT}"
            )


def _largest_share(
    engine: Engine, reader: Reader, plan: Plan, comparison: Comparison
) -> tuple[float, str]:
    """The largest share that broken rows have of a period's rows or money, and of what."""
    day, money = day_of(reader.table, plan), money_of(reader, plan)
    won = MAY_BE_WON if reader.name == "deals" else "false"
    largest, of = 0.0, ""
    spans = {"all": "true"} | {
        period.label: f"{day} between date '{period.start}' and date '{period.end}'"
        for period in (comparison.period, comparison.baseline)
    }
    for label, inside in spans.items():
        n_bad, n, lost, value = engine.rows(
            f"select count_if(bad), count(*), coalesce(sum(money) filter (bad), 0), "
            f"coalesce(sum(money), 0) from (select {reader.is_broken} as bad, "
            f"case when {won} and {money} > 0 then {money} end as money "
            f"from {reader.numbered} where {inside} and not ({reader.after}))"
        )[0]
        if n and n_bad / n > largest:
            largest, of = n_bad / n, f"{n_bad:,} of {n:,} rows in {label}"
        if value and lost / value > largest:
            money_text = f"{lost:,.2f} of {value:,.2f} {plan.company.currency}"
            largest, of = (
                lost / value,
                f"{money_text} in {label}, in {n_bad:,} of {n:,} rows, which",
            )
    return largest, of
