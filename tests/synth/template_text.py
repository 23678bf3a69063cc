"""Reading a template back, as any YAML parser does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from lambda_workflow.aws.synth.values import Because
from lambda_workflow.aws.synth.yaml import Block, Tag, Titled

# libyaml's parser where PyYAML has it, several times as fast as the one in Python
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # PyYAML has no types
    """Keeps a tag as a pair of its name and its value."""


def _tagged(loader: Any, name: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return ("!", name, loader.construct_scalar(node))
    return ("!", name, loader.construct_sequence(node, deep=True))


_Loader.add_multi_constructor("!", _tagged)


def read(text: str) -> Any:
    """A template's tree; a tag is `("!", name, value)`."""
    return yaml.load(text, _Loader)


def bare(tree: Any) -> Any:
    """What `read` must give of a tree that was written."""
    match tree:
        case Because(value, _) | Titled(value, _):
            return bare(value)
        case Tag(name, value):
            return ("!", name, bare(value))
        case Block(text, tag):
            return ("!", tag, f"{text}\n") if tag else f"{text}\n"
        case Mapping():
            return {key: bare(value) for key, value in tree.items()}
        case list() | tuple():
            return [bare(item) for item in tree]
        case _:
            return tree
