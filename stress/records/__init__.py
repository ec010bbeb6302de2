"""Reads records that are not ours (CSV, JSON lines, Parquet), and a balancer's logs, into columns.

Nothing here searches, or writes a file.
"""
