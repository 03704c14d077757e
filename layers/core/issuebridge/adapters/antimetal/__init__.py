"""Antimetal: its client and its mapping."""
