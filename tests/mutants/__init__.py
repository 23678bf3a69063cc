"""Mutants of the runtime: wrong lines, each of which a named test must notice.

    python -m tests.mutants                 every mutant; exits with 1 if one survives
    python -m tests.mutants --only lease    those whose name contains a word
    python -m tests.mutants --find          all tests of the files that a mutant names, to see which
                                            of them fail for it

Each mutant is applied in a copy of the tree and its tests are run there; outside of `make test`,
which only checks (tests/tidy) that the text of each mutant stands in its file exactly once.
"""
