"""What a finding is about.

`records`: the rows themselves show that the business did not change. `business`: they show that it
did. `ask`: they could show either, so that the owning team is asked.
"""

from __future__ import annotations

RECORDS, BUSINESS, ASK = "records", "business", "ask"
