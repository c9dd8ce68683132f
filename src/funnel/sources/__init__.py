"""Exports of other systems become the contract's tables."""
