"""Scenarios: workflows tested with made-up agents, scripted people and virtual time, on the real engine (spec 6)."""
