"""Structs that hold credentials."""

from __future__ import annotations

import msgspec


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials. Logs and tracebacks show which are set, not what they are."""

    def __repr__(self) -> str:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        return f"{type(self).__name__}({', '.join(f'{name}=...' for name in given)})"
