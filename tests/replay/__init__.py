"""The replay, driven by facts alone: no host, no queue, no clock."""
