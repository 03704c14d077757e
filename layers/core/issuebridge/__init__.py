"""Keeps issues in step between Bland Triage, Antimetal and Zylon."""
