"""Types that users see, pinned. mypy reads these files; nothing runs them."""
