"""Fuzzing: hostile requests against the rooms that judge and read them. It must never be part of what is installed."""
