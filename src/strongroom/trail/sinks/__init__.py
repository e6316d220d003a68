"""Sending the trail on: to files, syslog, webhooks, buckets.

Each sink follows the trail by itself (`trail/feed`), with its own positions, and delivers every record at
least once. None of them is on the way of an answer.
"""
