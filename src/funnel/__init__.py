"""Trace, compare and explain a revenue funnel."""
