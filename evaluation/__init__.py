"""Evaluation: runs that were recorded or are made up, played against definitions and compared, without a database."""
