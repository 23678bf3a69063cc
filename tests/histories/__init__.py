"""Golden histories of the examples, exported once, which every later version must replay."""
