"""The error that all of Lampwork's are, and how it is written down."""

from __future__ import annotations

from typing import Any, ClassVar


class LampworkError(Exception):
    """The base of all. `fields` is JSON and becomes attributes of the error."""

    code: ClassVar[str] = "lampwork_error"
    status: ClassVar[int] = 500

    _by_code: ClassVar[dict[str, type[LampworkError]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")
        LampworkError._by_code[cls.code] = cls

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}") from None

    def to_record(self) -> dict[str, Any]:
        """`{"code", "message", "fields"}`, JSON."""
        return {"code": self.code, "message": self.message, "fields": self.fields}

    @staticmethod
    def of_code(code: str) -> type[LampworkError] | None:
        """The error of a code, if it is one of ours."""
        return LampworkError._by_code.get(code)

    @staticmethod
    def from_record(record: dict[str, Any]) -> LampworkError:
        """The error that `to_record` wrote down."""
        kind = LampworkError.of_code(record["code"]) or LampworkError
        return kind(record["message"], **record["fields"])
