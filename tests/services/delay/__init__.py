"""Tests of the delay service and of the forwarder."""
