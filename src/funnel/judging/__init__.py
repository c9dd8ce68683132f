"""Leads as the plan's definitions judge them, and the moments at which they were handed over.

Both the definition of a lead and the hand-over ask this, so that they count the same leads.
"""
