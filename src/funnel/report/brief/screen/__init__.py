"""The first screen: what both teams know after a minute, in at most 250 plain words."""

from funnel.report.brief.screen.page import first_screen, question_page

__all__ = ["first_screen", "question_page"]
