"""Words: what no file of the repository may contain."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.tree import files, sources, texts

# The patterns are written so that they do not match themselves.
FORBIDDEN = {
    "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b"),
    "a path of one machine": re.compile(r"(?<![\w.:}-])/(?:root|home|Users|work|opt)/[\w.]"),
    "a package index": re.compile(r"--(?:extra-)?index-ur[l]|--trusted-hos[t]|\bpypi[.]or[g]"),
    "a credential": re.compile(r"\bA[KS]IA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KE[Y]"),
    "how the work was done": re.compile(
        r"\b(?:this|that|previous|last|next|earlier|later) sessio[n]\b|\blanguage mode[l]s?\b",
        re.IGNORECASE,
    ),
}

# Addresses that a reader can open, or that only exist in examples. A new host needs a line here.
HOSTS_KNOWN = re.compile(
    r"127\.0\.0\.1|localhost|(?:[\w-]+\.)*(?:amazonaws\.com|aws\.amazon\.com|example\.(?:com|org))"
    r"|(?:www\.)?apache\.org|github\.com|docs\.python\.org|www\.sqlite\.org|www\.w3\.org"
)
URL_HOST = re.compile(r"\bhttps?://(?:[^\s/@]+@)?([A-Za-z0-9][\w.-]*)")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts().items()
        for match in FORBIDDEN[what].finditer(text)
    ]
    assert not found, f"these lines contain {what}"


def test_every_host_is_known() -> None:
    unknown = sorted(
        f"{path}: {host}"
        for path, text in texts().items()
        for host in set(URL_HOST.findall(text))
        if not HOSTS_KNOWN.fullmatch(host)
    )
    assert not unknown, "use a host of HOSTS_KNOWN, or add this one if readers should go there"


def test_text_files_end_with_one_newline() -> None:
    ragged = [
        path
        for path, text in texts().items()
        if text and (not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert not ragged


def test_there_are_no_lock_files() -> None:
    locks = [path for path in files() if re.search(r"(?:\.lock|-lock\.\w+|Pipfile)$", path)]
    assert not locks, "constraints.txt and constraints-sam.txt list the versions"


@pytest.mark.parametrize("path", ["constraints.txt", "constraints-sam.txt"])
def test_constraints_are_exact_versions(path: str) -> None:
    lines = [line for line in texts()[path].splitlines() if not line.startswith("#")]
    exact = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+(?: ; .+)?")
    assert [line for line in lines if not exact.fullmatch(line)] == []
    assert lines == sorted(lines, key=str.lower), f"sort {path}"


def test_every_python_file_says_what_it_is() -> None:
    silent = [source.path for source in sources() if not ast.get_docstring(source.tree)]
    assert not silent, "open these files with a docstring"
