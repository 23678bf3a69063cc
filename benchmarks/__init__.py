"""Speed and cost, measured; each module prints one JSON line."""
