"""The base of structs that hold credentials."""

from __future__ import annotations

import msgspec


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials. Their `repr`, and so logs and tracebacks, names the fields that are set but not their values."""

    def __repr__(self) -> str:
        given = [name for name in self.__struct_fields__ if getattr(self, name) not in (None, ())]
        return f"{type(self).__name__}({', '.join(f'{name}=...' for name in given)})"
