"""Nouns: the pure data of the product. Nothing here reads a clock, rolls dice or does I/O."""
