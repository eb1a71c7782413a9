"""Reading hand-written YAML: every value knows its line, and `${NAME}` is replaced by an environment variable.

A scalar is its text in the file, not the value that YAML would make of it: `no`, `0123` and `+15125551234` lose
nothing, and the setting that they are read for decides their type.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import ReaderError

from voiceflow.errors import ConfigError

DEPTH = 100
"""How deeply lists and mappings may be nested."""

# libyaml is ten times faster, and a file may be read again between two audio frames.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = {yaml.ScalarNode: "text", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a YAML file. Its methods raise `ConfigError`, which names file and line."""

    node: yaml.Node
    file: _File

    @property
    def line(self) -> int:
        """The line in which the value begins, from 1."""
        return _line(self.node.start_mark)

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file.path}, line {self.line}"

    @property
    def missing(self) -> bool:
        """Whether the value is empty, `~` or `null`."""
        return bool(self.node.tag == _NULL)

    @property
    def is_mapping(self) -> bool:
        """Whether the value has keys."""
        return isinstance(self.node, yaml.MappingNode)

    def error(self, problem: str) -> ConfigError:
        """The error to raise for `problem` with this value."""
        return ConfigError(f"{self.place}: {problem}")

    def text(self) -> str:
        """A scalar as it is written, with variables replaced."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self._unexpected("text")
        text = _VARIABLE.sub(self._variable, self.node.value)
        if _SURROGATE.search(text):
            raise self.error("this text holds half a surrogate pair or bytes that are not UTF-8: retype it")
        return text

    def entries(self) -> list[tuple[Value, Value]]:
        """Keys and values of a mapping, in the file's order; entries merged by `<<` come first."""
        return list({key.text(): (key, value) for key, value in self._pairs()}.values())

    def items(self) -> list[Value]:
        """The values of a list. A value that is not a list is treated as a list of one."""
        nodes = self.node.value if isinstance(self.node, yaml.SequenceNode) else [self.node]
        return [Value(node, self.file) for node in nodes]

    def get(self, name: str) -> Value | None:
        """The value of a key. None: there is no such key, or its value is `missing`."""
        return next((value for key, value in self.entries() if key.text() == name and not value.missing), None)

    def natural(self) -> Any:
        """The value that YAML makes of it: numbers, booleans, dates, lists, dicts. A scalar with a variable is text."""
        match self.node:
            case yaml.SequenceNode():
                return [Value(node, self.file).natural() for node in self.node.value]
            case yaml.MappingNode():
                return {key.text(): value.natural() for key, value in self.entries()}
        try:
            return SafeConstructor().construct_object(yaml.ScalarNode(self.node.tag, self.text()))
        except ConfigError:
            raise
        except Exception as error:  # impossible dates and explicit tags (`!!int x`) raise various ones
            raise self.error(f"{self.node.value!r} is not what its form or tag says: quote it if it is text") from error

    def _pairs(self) -> Iterator[tuple[Value, Value]]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self._unexpected("`key: value` lines")
        pairs = [(Value(key, self.file), Value(value, self.file)) for key, value in self.node.value]
        for key, value in pairs:
            if key.node.tag == _MERGE:
                sources = value.node.value if isinstance(value.node, yaml.SequenceNode) else [value.node]
                for source in reversed(sources):  # the first of several takes precedence
                    yield from Value(source, self.file)._pairs()
        own: dict[str, Value] = {}
        for key, value in pairs:
            if key.node.tag != _MERGE:
                first = own.setdefault(key.text(), key)
                if first is not key:
                    raise key.error(f"{key.text()!r} stands in line {first.line} already: keep one of them")
                yield key, value

    def _variable(self, match: re.Match[str]) -> str:
        name = match[1]
        if match[0] == "$${":
            return "${"
        if name is None:
            problem = "expected ${NAME}, an environment variable; for a `${` of your own write $${"
        elif name in os.environ:
            return os.environ[name].strip()  # as of a secret that was mounted as a file
        else:
            problem = f"the environment variable {name} is not defined: set it, or write it into .env"
        # In a text of several lines, name the line of the variable.
        lines = range(self.line, _line(self.node.end_mark) + 1)
        line = next((n for n in lines if match[0] in "".join(self.file.lines[n - 1 : n])), self.line)
        raise ConfigError(f"{self.file.path}, line {line}: {problem}")

    def _unexpected(self, expected: str) -> ConfigError:
        return self.error(f"expected {expected}, came {'nothing' if self.missing else _KINDS[type(self.node)]}")


def read_yaml(path: Path) -> Value | None:
    """The content of a YAML file. None: it is empty. Raises `ConfigError` if the file cannot be read or is not YAML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8: save the file in that encoding") from error
    try:
        _check_nesting(text, path)
        node = _Loader(text).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise ConfigError(f"{path}, line {line}: the character U+{error.character:04X} cannot stand in YAML") from error
    except yaml.MarkedYAMLError as error:
        context = f" ({error.context})" if error.context else ""
        raise ConfigError(f"{path}, line {_line(error.problem_mark)}: {error.problem}{context}") from error
    return None if node is None else Value(node, _File(path, text.splitlines()))


def _check_nesting(text: str, path: Path) -> None:
    """Raise `ConfigError` for nesting so deep or circular that recursion, libyaml's included, would overflow."""
    above: list[str | None] = []  # the anchors of the enclosing lists and mappings
    for event in yaml.parse(text, Loader=_Loader):
        problem = None
        match event:
            case yaml.CollectionStartEvent():
                above.append(event.anchor)
                if len(above) > DEPTH:
                    problem = f"more than {DEPTH} lists or mappings within each other"
            case yaml.CollectionEndEvent():
                above.pop()
            case yaml.AliasEvent() if event.anchor in above:
                problem = f"*{event.anchor} contains itself"
        if problem is not None:
            raise ConfigError(f"{path}, line {_line(event.start_mark)}: {problem}")


def _line(mark: Any) -> int:
    return mark.line + 1 if mark is not None else 1
