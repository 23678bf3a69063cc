"""Templates: what is synthesised of an App, and what is refused."""
