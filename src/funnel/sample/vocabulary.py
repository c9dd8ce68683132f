"""Texts in the tables of a generated company, and how often some are used."""

from __future__ import annotations

CHANNELS = ("organic search", "paid search", "social", "events", "partner", "outbound")
SOCIAL = CHANNELS.index("social")
WEB = (0, 1, 2)  # the channels that a website's tracking sees
REGIONS = ("North", "South", "East", "West")
INDUSTRIES = ("software", "manufacturing", "retail", "logistics", "healthcare", "public sector")
SENIORITIES = ("Specialist", "Manager", "Director", "VP")
FUNCTIONS = ("finance", "marketing", "sales", "operations", "IT")
CAMPAIGNS = (
    ("guides", "comparison pages", "home page"),
    ("brand terms", "category terms", "competitor terms"),
    ("short videos", "lookalikes", "retargeting"),
    ("spring fair", "autumn fair", "webinars"),
    ("resellers", "consultancies", "marketplace"),
    ("target accounts", "event guests", "old contacts"),
)
TOUCH_CHANNELS = (*CHANNELS, "direct", "email")
DIRECT, EMAIL = 6, 7
CAMPAIGN_NAMES = tuple(name for group in CAMPAIGNS for name in group)
REASONS = {  # by exit: the company's words, and how often each is given
    "rejected": (
        ("wrong company type", "too small", "no reply", "not interested", "duplicate"),
        (0.28, 0.22, 0.26, 0.17, 0.07),
    ),
    "recycled": (
        ("no budget this year", "not the decision maker", "no need seen", "not interested"),
        (0.34, 0.22, 0.24, 0.20),
    ),
    "disqualified": (
        ("wrong company type", "too small", "wrong contact", "student or supplier"),
        (0.32, 0.34, 0.18, 0.16),
    ),
    "lost": (
        ("price", "lost to competitor", "no decision", "missing feature", "sponsor left"),
        (0.27, 0.25, 0.26, 0.14, 0.08),
    ),
}
COMPETITORS = ("Rival One", "Rival Two", "Rival Three", "Rival Four")
PRODUCTS = ("Starter", "Team", "Enterprise")
CONTENTS = ("home page", "price page", "guide", "case study", "webinar", "newsletter", "fair stand")
REASON_FILLED = {"rejected": 0.92, "recycled": 0.75, "disqualified": 0.85, "lost": 0.70}
