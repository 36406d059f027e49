"""Simulation: what a workflow's queue will look like, by its real rules, under virtual time and with drawn numbers."""
