"""Bland Triage: its client and its mapping."""
