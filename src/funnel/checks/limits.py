"""Settings of the checks that a reader may ask about, each with its reason."""

from __future__ import annotations

# All checks: a problem is claimed only where chance alone would show it less often than this.
# A claim sends somebody to look, and a false one costs more trust than a missed one.
SURE = 0.001
FEWEST_EXPECTED = 20  # rows that a silence or a collapse leaves out: fewer, and it may be chance
FALSE_ALARMS = 0.01  # of datasets in which something is named that is none, all tests together

# Breaks over the bridge's look-back
PERIODS_BACK = 4  # before the baseline: the bridge follows leads through at least as many
LEAD_PERIODS = 2  # before the baseline, from which most of its wins' leads come
SETTLED_DAYS = 28  # of a table's own before something begins or ends in it: less is its own start
SHORTEST_SILENCE_OF_VALUE = 14  # days: a value that pauses for less has not ended
FEWEST_OF_VALUE = 20  # rows of a value, below which it is not followed
MOST_VALUES = 40  # of a column, the largest ones
SMALL_SHARE = 0.02  # of a table's rows: a smaller value moves no total
SUCCESSOR_DAYS = 10  # between the last row of a value and the first one of its successor
SUCCESSOR_ROWS = 2  # that would have come between them, where they are rare
SIMILAR_VOLUME = 0.5  # of a value and its successor, the smaller over the larger
FEWEST_TOGETHER = 4  # people who begin or end within days: fewer are hired, or leave, one by one
LARGE_GROUP = 0.2  # of the rows, that such people have together
FEWEST_AT_ONCE = 20  # rows within a minute, or on a day, that no hand enters
FEWEST_CLOSED_AT_ONCE = 10  # the same for deals, of which there are fewer
TIMES_ORDINARY = 5  # a day's rows over those of the busiest ordinary days
NO_HABIT = 3  # days at most with half as many rows: what happens more often is a habit
FEWEST_CLEARED = 7  # deals lost on one day, where few are open
TIMES_CLEARED = 3  # such a day's losses over those of the busiest ordinary days
TIMES_SECOND = 1.5  # and over those of the second busiest day: else it is a habit
CLEARED_SHARE = 0.25  # of the deals open that morning
FEWEST_SURVIVORS = 10  # rows without one failure
STEP_OF_FIELD = 0.15  # of a share filled: less hides in any split that is made by it
STEP_OF_KIND = 0.5  # of rows dated without hours, or opened on the day they close
FEWEST_DOUBLED = 0.02  # share of rows that repeat another, from which it is no chance
FEWEST_REJECTED = 20  # rows of one reason
SMALLEST_SHIFT = 0.75  # hours: people begin earlier in summer by less
FEWEST_OF_MEAN = 40  # rows on either side of a step of a mean
OTHER_UNIT = 5.0  # factor between amounts that no price list makes
LATE_LENGTHS = (7, 10, 14, 21)  # last days in which closings may be missing
LATE_BEFORE = 56  # days before them that give the level
LATE_SHARE = 0.5  # of the closings expected: fewer are missing
FEWEST_LATE = 7  # closings expected in them: of fewer, none at all may be chance
FEWEST_CONTRADICTED = 3  # open deals whose lead the stage history says is won or lost
LATE_QUARTERS = 6  # earlier quarters whose last days are compared

# Since when outcomes are recorded
FAR_BELOW = 0.1  # recorded over expected: rates that merely grow stay clear of it
NEARBY_DAYS = 183  # leads created within half a year after a day speak for those created before it
BACK_TO_NORMAL = 0.5  # of a month's expected outcomes: from here on recording has begun
FEWEST_WINS = 10  # fewer say too little about how long wins take

# Maturity
MATURE_SHARE = 0.95  # of the wins that have come by an age: from it on an outcome counts as final
# A second share, for rows compared at one age: what comes later is missing on both sides alike, and
# a later age would leave out more of the recent rows.
EQUAL_AGE_SHARE = 0.9  # of the outcomes that come have come by the age compared at
HORIZON_SHARE = 0.1  # of rows followed to an age, beyond which nothing is estimated
FOLLOWED_SHARE = 0.2  # of a cohort that must have reached an age; with fewer it is immature
COMMON_AGES = (1, 3, 7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730)  # ages people speak in, days

# Fields filled by outcome, and fields filled more or less often than before
LARGE_CHANGE = 0.1  # of the share filled: less hides in any split that is made by it

# Sources that stopped
BEFORE_DAYS = 91  # thirteen weeks before the last row give its rate
SHORTEST_GAP = 14  # days: a shorter silence is a holiday
LONGER_THAN_BEFORE = 1.5  # times the longest gap before: a source that pauses has not stopped
FEWEST_ROWS = 10  # in those weeks: fewer have no rate
LATE_SPEND_DAYS = 45  # between the last lead and the last spend of a channel that ended
SUCCESSOR_SHARE = 0.5  # of the rows that a channel lost, by which another that took over rose
SUCCESSOR_Z = 4.0  # of that rise: every other channel is tested
COLLAPSED_SHARE = 0.2  # of the expected: more is a fall like others, which the drivers explain
SHORTEST_COLLAPSE = 28  # days: a shorter one may be late rows, or a holiday

# Tracking losses
MOST_CHANNELS = 12  # the largest ones: each further test makes all others less sensitive
FEWEST_LEADS = 200  # of a channel that is tested alone
NEIGHBOUR_DAYS = 90  # before and after a loss, with which it is compared
SHORTEST_SILENCE = 3  # days without any touch: shorter ones are weekends
FEWEST_TOUCHES = 50  # in the days before a silence: fewer have no rate
FEWEST_ARRIVED = 5  # leads within a silence: fewer, and the business rested too
OWN_CHANNEL_RISE = 0.1  # of leads without a touch of their own channel
SAME_LOSS_DAYS = 14  # two losses that begin and end so close to each other are one

# Rows that repeat
FEWEST_REPEATING = 20  # leads or accounts, below which no share is shown
OFTEN = 0.2  # a share of leads that changes what a rate or a time between two stages means
MOSTLY = 0.5  # a share of leads from known accounts that makes them visits rather than people

# Deals
FEWEST_DEALS = 20  # fewer, and a share of them says nothing of how deals are recorded
MANY_MISSING = 0.2  # a share of won deals without amount or lead that changes what a total means
MOST_MISSING = 0.5  # a share of deals without an opening of their own that leaves no sales cycle

# Months of subscriptions
HALF_LOADED = 0.5  # of the accounts of both neighbours: fewer do not leave and return in a month
LONGEST_HALF_LOADED = 3  # such months in a row, before a level that returns

# Thresholds that changed
BANDS = 20  # of equal size, into which values are cut: finer ones hold too few leads a week
LARGE_STEP = 0.2  # a band whose share changed by less was not passed, or held back, by a rule
CONTRAST = 0.3  # between those above and those below, without which there is no threshold
LARGEST_BAND = 0.5  # of the leads: more is a change for everybody
LEAST_ABOVE = 0.05  # of the leads, above the band: fewer show no share of their own
AS_STRONG = 0.99  # of the largest z: bands so close to it are equally likely
ELSEWHERE = 1 / 3  # of the band's change: more than that elsewhere is a change for everybody
FEWEST_IN_BAND = 10  # leads on either side of the day
SLOWEST_DAYS = 28  # to pass a stage: a threshold acts at once
PERMUTATIONS = 4999  # so that a p value of 0.0002 can still be shown

# Currencies
MOST_CURRENCIES = 4  # that a sentence names
