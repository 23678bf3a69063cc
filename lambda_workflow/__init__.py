"""lambda-workflow: durable workflows as plain async Python."""

__all__: list[str] = []
