"""Settings in a part of the configuration file whose keys are the fields of a struct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from voiceflow.errors import ConfigError

from .unknown_keys import Warn, guards, hint
from .yamlfile import Value

S = TypeVar("S", bound=msgspec.Struct)


class ConfigSetting(NamedTuple):
    """A setting as it is written."""

    text: str
    origin: str
    """Where the text comes from, for errors: option, variable, or file, line and key."""


def in_file(
    mapping: Value, kinds: Mapping[str, Any], warn: Warn | None, prefix: str = "", elsewhere: tuple[str, ...] = ()
) -> Iterator[tuple[str, ConfigSetting]]:
    """The settings in a part of the file whose keys should be those of `kinds`, with values of its types. The keys in
    `elsewhere` are read by other code and skipped; `warn` is told of any others. Raises `ConfigError` for those that
    are about security; without `warn`, all are."""
    for key, value in mapping.entries():
        name = key.text()
        kind = kinds.get(name)
        if kind is None and name not in elsewhere:
            known = list(dict.fromkeys([*kinds, *elsewhere]))
            if warn is None or (not prefix and guards(name, known)):
                raise key.error(f"{prefix}{name} is unknown, {hint(name, known, prefix)}")
            warn(f"{key.place}: {prefix}{name} is unknown and ignored, {hint(name, known, prefix)}")
        elif kind is None or name in elsewhere or value.missing:
            continue
        elif _is_struct(kind):
            yield from in_file(value, types_of(kind), warn, f"{prefix}{name}.")
        elif text := (",".join(map(Value.text, value.items())) if _is_list(kind) else value.text()).strip():
            yield prefix + name, ConfigSetting(text, f"{value.place}: {prefix}{name}")


def build(struct: type[S], settings: dict[str, ConfigSetting], prefix: str = "") -> S:
    """A struct with the settings whose names begin with `prefix`, and its defaults. Raises `ConfigError`."""
    values: dict[str, Any] = {}
    for name, kind in types_of(struct).items():
        if _is_struct(kind):
            values[name] = build(kind, settings, f"{prefix}{name}.")
        elif setting := settings.get(prefix + name):
            values[name] = _convert(setting, kind)
    return struct(**values)


def _convert(setting: ConfigSetting, kind: Any) -> Any:
    if _is_list(kind):  # as in an environment variable, separated by commas
        return tuple(part.strip() for part in setting.text.split(",") if part.strip())
    chosen = any(get_origin(part) is Literal for part in get_args(kind))  # names are accepted in upper and lower case
    try:
        return msgspec.convert(setting.text.upper() if chosen else setting.text, kind, strict=False)
    except msgspec.ValidationError:
        raise ConfigError(f"{setting.origin} is {setting.text!r}: expected {meaning(kind)}") from None


def types_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The types of a struct's fields, by name."""
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _is_list(kind: Any) -> bool:
    """Whether a field of this type, `tuple[str, ...]`, has several texts."""
    return get_origin(kind) is tuple


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def meaning(kind: Any) -> str:
    """The description in the `Meta` of a type or of the first member of a union, such as `X | None`."""
    parts = get_args(kind)
    described = [part.description for part in parts if isinstance(part, Meta)]
    return described[0] or "" if described else meaning(parts[0])
