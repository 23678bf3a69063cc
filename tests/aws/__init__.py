"""The AWS host, over real HTTP against the moto server."""
