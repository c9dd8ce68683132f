"""The contract: each table's grain, owner, columns and checks, in one place.

Everything that must agree with the contract is derived from `TABLES`: what `load` checks, the
codebook, the empty tables of `funnel init`, and the columns a frame always has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Kind of value in a column, which decides how its cells are read."""

    ID = "id"  # an opaque key: kept as text, never counted with
    TEXT = "text"  # words of a category: kept as they are, without control characters
    FREE = "free"  # sentences that somebody wrote: as text, or hidden where the plan says so
    TIME = "time"  # a moment, UTC
    DATE = "date"  # a day
    NUMBER = "number"
    MONEY = "money"  # a plain number in the company's one currency
    COUNT = "count"  # a whole number, never negative
    PERSON = "person"  # an employee: becomes a stable label
    IDENTITY = "identity"  # a person outside: becomes a keyed hash


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `choices` lists the only words allowed; `unit` is empty where the kind implies it. A `planned`
    date may lie after the last day that the data covers, since it is known in advance.
    """

    name: str
    kind: Kind
    means: str
    required: bool = False
    unit: str = ""
    choices: tuple[str, ...] = ()
    planned: bool = False


@dataclass(frozen=True)
class Reference:
    """A column whose values must be keys of another table, if the dataset has that table."""

    column: str
    table: str


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes
    ----------
    grain
        What one row is.
    owner
        The team to ask about its rows.
    key
        Columns that together identify a row; empty where two equal rows can both be right.
    happened
        The column that dates a row: a row dated after `as_of` is not used. Empty where a row
        has no date of its own, or is known in advance (a target).
    ordered
        Pairs of columns of which the first may not be later than the second.
    needs_one_of
        Columns of which a row must fill at least one.
    without
        What cannot be answered without the table.
    """

    name: str
    grain: str
    owner: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    happened: str = ""
    ordered: tuple[tuple[str, str], ...] = ()
    needs_one_of: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    without: str = ""
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)


def _must(name: str, kind: Kind, means: str, **more: object) -> Column:
    return Column(name, kind, means, required=True, **more)


_LEAD = Reference("lead_id", "leads")

_LEADS = Table(
    name="leads",
    grain="a person who raised a hand",
    owner="Marketing Ops",
    key=("lead_id",),
    happened="created_at",
    ordered=(("created_at", "assigned_at"),),
    without="lead volume, mix, conversion by stage and the hand-off",
    columns=(
        _must("lead_id", Kind.ID, "the lead's key"),
        _must("created_at", Kind.TIME, "when the hand was raised"),
        Column("account_id", Kind.ID, "the company the person works for"),
        Column("channel", Kind.TEXT, "where the lead came from"),
        Column("campaign", Kind.TEXT, "the campaign within the channel"),
        Column("motion", Kind.TEXT, "how the lead is worked, such as inbound or outbound"),
        Column("region", Kind.TEXT, "sales region"),
        Column("industry", Kind.TEXT, "the company's industry"),
        Column("employees", Kind.COUNT, "the company's size", unit="people"),
        Column("annual_revenue", Kind.MONEY, "the company's revenue in a year"),
        Column("seniority", Kind.TEXT, "the person's level, such as Director or VP"),
        Column("job_function", Kind.TEXT, "the person's field of work"),
        Column("score", Kind.NUMBER, "marketing's lead score when the lead was handed on"),
        Column("grade", Kind.TEXT, "marketing's grade, best first", choices=("A", "B", "C", "D")),
        Column("assigned_at", Kind.TIME, "when the lead reached a salesperson's queue"),
        Column("owner", Kind.PERSON, "the salesperson it was given to"),
        Column("email", Kind.IDENTITY, "the person's address"),
    ),
)

_STAGE_CHANGES = Table(
    name="stage_changes",
    grain="a lead entering a stage",
    owner="Sales Ops",
    happened="entered_at",
    references=(_LEAD,),
    without="every stage between lead and opportunity, and when leads left",
    columns=(
        _must("lead_id", Kind.ID, "the lead that moved"),
        _must("stage", Kind.TEXT, "the stage it entered, in the plan's words"),
        _must("entered_at", Kind.TIME, "when it entered"),
        Column("reason", Kind.TEXT, "why it was rejected, recycled or lost"),
        Column("changed_by", Kind.PERSON, "who moved it"),
    ),
)

_DEALS = Table(
    name="deals",
    grain="an opportunity",
    owner="Sales Ops",
    key=("deal_id",),
    happened="created_at",
    ordered=(("created_at", "closed_at"),),
    references=(_LEAD,),
    without="bookings, win rate, deal size and everything after the opportunity",
    columns=(
        _must("deal_id", Kind.ID, "the deal's key"),
        _must("created_at", Kind.TIME, "when the opportunity was opened"),
        _must("outcome", Kind.TEXT, "how it stands at its latest", choices=("open", "won", "lost")),
        Column("lead_id", Kind.ID, "the lead it grew from"),
        Column("account_id", Kind.ID, "the company that would buy"),
        Column("account_name", Kind.IDENTITY, "that company's name"),
        Column("closed_at", Kind.TIME, "when it was won or lost; needed when it was"),
        Column("amount", Kind.MONEY, "what was, or would be, booked"),
        Column("mrr", Kind.MONEY, "recurring revenue", unit="currency a month"),
        Column("owner", Kind.PERSON, "the salesperson who works it"),
        Column(
            "kind",
            Kind.TEXT,
            "what kind of sale it is",
            choices=("new", "expansion", "renewal"),
        ),
        Column("expected_close_on", Kind.DATE, "when it is expected to close", planned=True),
        Column("loss_reason", Kind.TEXT, "why it was lost, as sales recorded it"),
        Column("buyer_reason", Kind.TEXT, "why it was lost, as the buyer gave it"),
        Column("competitor", Kind.TEXT, "the competitor named"),
        Column("product", Kind.TEXT, "what is being sold"),
    ),
)

_DEAL_CHANGES = Table(
    name="deal_changes",
    grain="one change of an open deal",
    owner="Sales Ops",
    happened="changed_at",
    references=(Reference("deal_id", "deals"),),
    without="deals that slipped or were pushed",
    columns=(
        _must("deal_id", Kind.ID, "the deal that was changed"),
        _must("changed_at", Kind.TIME, "when"),
        _must(
            "field",
            Kind.TEXT,
            "what was changed",
            choices=("expected_close_on", "amount", "stage", "owner"),
        ),
        _must("new", Kind.TEXT, "its value since then; a date as YYYY-MM-DD"),
        Column("old", Kind.TEXT, "its value before"),
    ),
)

_TOUCHES = Table(
    name="touches",
    grain="one contact between a person and a channel",
    owner="Marketing Ops",
    key=("touch_id",),
    happened="occurred_at",
    needs_one_of=("lead_id", "account_id"),
    references=(_LEAD,),
    without="the way from the first click to the deal, and credit by channel",
    columns=(
        _must("occurred_at", Kind.TIME, "when it took place"),
        _must("channel", Kind.TEXT, "the channel it came through"),
        Column("lead_id", Kind.ID, "the lead, where known"),
        Column("account_id", Kind.ID, "the company, where known"),
        Column("touch_id", Kind.ID, "the touch's key"),
        Column("campaign", Kind.TEXT, "the campaign within the channel"),
        Column("content", Kind.FREE, "the page, paper or event"),
        Column("kind", Kind.TEXT, "what the person did, such as visit, download or demo"),
    ),
)

_ACTIVITIES = Table(
    name="activities",
    grain="one sales action on a lead",
    owner="Sales Ops",
    happened="occurred_at",
    references=(_LEAD,),
    without="how soon and how often leads are followed up",
    columns=(
        _must("lead_id", Kind.ID, "the lead acted on"),
        _must("occurred_at", Kind.TIME, "when"),
        Column("owner", Kind.PERSON, "the salesperson who acted"),
        Column(
            "kind",
            Kind.TEXT,
            "what was done; feedback is an answer to marketing",
            choices=("call", "email", "meeting", "feedback"),
        ),
    ),
)

_SPEND = Table(
    name="spend",
    grain="money for a channel on a day",
    owner="Marketing Ops",
    happened="spent_on",
    without="cost per lead and per won deal",
    columns=(
        _must("spent_on", Kind.DATE, "the day"),
        _must("channel", Kind.TEXT, "the channel paid for, in the words of leads and touches"),
        _must("amount", Kind.MONEY, "money spent"),
        Column("campaign", Kind.TEXT, "the campaign within the channel"),
    ),
)

_PROMOS = Table(
    name="promos",
    grain="one promotion",
    owner="Marketing",
    key=("promo",),
    happened="starts_on",
    ordered=(("starts_on", "ends_on"),),
    without="whether a promotion paid",
    columns=(
        _must("promo", Kind.TEXT, "its name"),
        _must("starts_on", Kind.DATE, "first day"),
        _must("ends_on", Kind.DATE, "last day", planned=True),
        Column("channel", Kind.TEXT, "the channel it ran in; empty for all"),
        Column("segment", Kind.TEXT, "the customers it was for; empty for all"),
        Column("discount", Kind.NUMBER, "price taken off", unit="share, 0 to 1"),
        Column("cost", Kind.MONEY, "fixed cost of running it"),
    ),
)

_REPS = Table(
    name="reps",
    grain="a salesperson",
    owner="Sales Ops",
    key=("owner",),
    happened="started_on",
    ordered=(("started_on", "left_on"),),
    without="bookings per head, ramp and capacity",
    columns=(
        _must("owner", Kind.PERSON, "the salesperson, as in leads, deals and activities"),
        _must("started_on", Kind.DATE, "first day at work"),
        Column("left_on", Kind.DATE, "last day at work"),
        Column("team", Kind.TEXT, "team"),
        Column("quota", Kind.MONEY, "goal", unit="currency a period of the plan"),
        Column("ramp_days", Kind.COUNT, "time to full productivity", unit="days"),
    ),
)

_SUBSCRIPTIONS = Table(
    name="subscriptions",
    grain="an account's recurring revenue in a month",
    owner="Finance",
    key=("account_id", "month", "product"),
    happened="month",
    without="recurring revenue, expansion and churn",
    columns=(
        _must("account_id", Kind.ID, "the customer"),
        _must("month", Kind.DATE, "the month, by its first day"),
        _must("mrr", Kind.MONEY, "recurring revenue in that month", unit="currency a month"),
        Column("product", Kind.TEXT, "what is subscribed to"),
        Column("currency", Kind.TEXT, "what it is paid in, if the plan has rates"),
    ),
)

_TARGETS = Table(
    name="targets",
    grain="one goal, or one person's quota",
    owner="Both teams",
    key=("period_start", "measure", "team", "owner"),
    without="how far the period is from its goal",
    columns=(
        _must("period_start", Kind.DATE, "first day of the period", planned=True),
        _must("measure", Kind.TEXT, "what is counted, such as bookings or leads"),
        _must("target", Kind.NUMBER, "the goal", unit="the measure's own"),
        Column("period_end", Kind.DATE, "last day, if not of the plan's period", planned=True),
        Column("team", Kind.TEXT, "whose part it is; empty: the company's"),
        Column("owner", Kind.PERSON, "whose quota it is; empty: nobody's"),
        Column("set_on", Kind.DATE, "when it was agreed"),
    ),
)

_COMPETITOR_LOG = Table(
    name="competitor_log",
    grain="something seen of a competitor",
    owner="Sales",
    happened="seen_on",
    without="what competitors did meanwhile",
    columns=(
        _must("seen_on", Kind.DATE, "when it was seen"),
        _must("competitor", Kind.TEXT, "who"),
        _must("what", Kind.FREE, "what was seen"),
        Column("source", Kind.TEXT, "where"),
    ),
)

_CLAIMS = Table(
    name="claims",
    grain="a sentence somebody brings to the meeting",
    owner="Both teams",
    without="evidence for and against what each side says",
    columns=(
        _must("claim", Kind.FREE, "the sentence"),
        _must("said_by", Kind.TEXT, "whose it is", choices=("sales", "marketing")),
        _must("driver", Kind.TEXT, "the driver of the bridge that it is about"),
        _must("direction", Kind.TEXT, "where it is said to go", choices=("down", "up", "same")),
        Column("segment", Kind.TEXT, "the segment it is about; empty for all"),
        Column("measure", Kind.TEXT, "what it says moved, where that is narrower than the driver"),
    ),
)

_HEARD = Table(
    name="heard",
    grain="what sales or marketing hears, that no table shows",
    owner="Both teams",
    happened="heard_on",
    references=(_LEAD, Reference("deal_id", "deals")),
    without="what was heard that no table shows",
    columns=(
        _must("heard_on", Kind.DATE, "when"),
        _must("heard_by", Kind.TEXT, "which team"),
        _must("what", Kind.FREE, "what was said"),
        Column("deal_id", Kind.ID, "the deal it was about"),
        Column("lead_id", Kind.ID, "the lead it was about"),
        Column("driver", Kind.TEXT, "the driver of the bridge it speaks to"),
    ),
)

_ACTIONS = Table(
    name="actions",
    grain="what the last meetings agreed",
    owner="Both teams",
    happened="decided_on",
    without="whether what was agreed shows in the figures",
    columns=(
        _must("action", Kind.FREE, "what was agreed"),
        _must("owner", Kind.PERSON, "who does it"),
        _must("due_on", Kind.DATE, "by when", planned=True),
        _must("measure", Kind.TEXT, "the figure expected to move"),
        _must("expected", Kind.TEXT, "where to, or by how much"),
        Column("segment", Kind.TEXT, "where; empty for everywhere"),
        Column("decided_on", Kind.DATE, "when it was agreed"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _LEADS,
        _STAGE_CHANGES,
        _DEALS,
        _DEAL_CHANGES,
        _TOUCHES,
        _ACTIVITIES,
        _SPEND,
        _PROMOS,
        _REPS,
        _SUBSCRIPTIONS,
        _TARGETS,
        _COMPETITOR_LOG,
        _CLAIMS,
        _HEARD,
        _ACTIONS,
    )
}
