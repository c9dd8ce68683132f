"""Rejected rows, with their line and reason; and the stop where they are too many."""

from __future__ import annotations

import pandas as pd

from funnel.contract.errors import TableError
from funnel.contract.outgoing_text import holds_identity
from funnel.contract.plan import Plan
from funnel.contract.tables import Kind
from funnel.dataset import casts, csv_repair, privacy
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.row_checks import FILE, ROW
from funnel.dataset.table_reader import Reader, numbered

AFTER = "after as_of"


def rejected_rows(engine: Engine, reader: Reader) -> pd.DataFrame:
    """Rows that are not used: the source's columns, then `file:`, `line:` and `reason:`."""
    source, name = reader.source, reader.name
    scan = numbered(source) if reader.is_big else f"raw.{name}"
    cells = [f'{quoted(given)} as "cell:{i}"' for i, given in enumerate(source.types)]
    rows = f"({reader.reading.rows(scan, ROW, FILE, *cells)})"
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
    joined, is_duplicate = "", "false"
    if reader.n_duplicates:
        joined = (
            f'left join (select {ROW}, {FILE}, "nth:" from rejected.{name}_duplicates '
            f'where "nth:" > 1) using ({ROW}, {FILE})'
        )
        is_duplicate = '"nth:" is not null'
    frame = engine.sql(
        f'select {", ".join(shown)}, _cleaned_path({FILE}) as "file:", {ROW} as "line:", '
        f"case when {reader.reading.is_broken} then {reader.reading.reason} "
        f"when {reader.after} then {literal(f'{AFTER} ({reader.as_of})')} "
        f'else {literal(twice)} end as "reason:" '
        f"from {rows} {joined} "
        f"where ({reader.reading.is_broken}) or {reader.after} or {is_duplicate} "
        f"order by {FILE}, {ROW}"
    )
    if source.text is not None and not source.has_lines:
        frame["line:"] = frame["line:"].map(csv_repair.lines_of(source, frame["line:"].tolist()))
    if source.malformed:
        lines = pd.DataFrame(source.malformed, columns=["line:", "reason:"])
        frame = pd.concat([frame, lines.assign(**{"file:": source.label})], ignore_index=True)
        frame = frame.sort_values("line:", ignore_index=True)
    return frame


def stop_at_too_many(engine: Engine, reader: Reader, plan: Plan) -> None:
    """Raise a `TableError` where more rows of a table are broken than the plan allows.

    The error names the most frequent reasons, each with some of its lines.
    """
    n_bad = reader.n_broken + reader.n_duplicates
    n_rows = reader.n_in - reader.n_after
    if not n_bad or n_bad <= plan.max_rejected * n_rows:
        return
    rows = rejected_rows(engine, reader)
    rows = rows[~rows["reason:"].str.startswith(AFTER)]
    # group by the reason without the quoted value, which differs from row to row
    kinds = rows["reason:"].str.replace(r": '.*?'|'.*?' ", " ", regex=True).str.strip()
    reasons = []
    for kind, n in kinds.value_counts(sort=True).head(3).items():
        lines = ", ".join(str(line) for line in rows.loc[kinds == kind, "line:"].head(3))
        one = rows.loc[kinds == kind, "reason:"].iloc[0]
        reasons.append(f"{one} ({n:,} {'row' if n == 1 else 'rows'}: line {lines})")
    hint = ""
    if any("not a plain number" in one or "not a date" in one for one in reasons):
        hint = " `funnel import mapping` reads other ways to write dates and decimals."
    raise TableError(
        f"{reader.name}: {n_bad:,} of {n_rows:,} rows of {reader.source.label} "
        f"{'breaks' if n_bad == 1 else 'break'} the contract, "
        f"{n_bad / n_rows:.0%}, and the plan allows {plan.max_rejected:.0%} (`max_rejected`). Most "
        f"frequent: {'; '.join(reasons)}. The other rows may no longer represent the whole table, "
        f"so nothing was computed. {reader.table.owner} can correct the export.{hint}"
    )
