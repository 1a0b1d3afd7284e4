"""Task metadata: declared by skills, kept from the model, looked for in every request."""

from lampwork.metadata.declared import (
    Declares,
    Key,
    Metadata,
    Sealed,
    declared_by,
    from_texts,
    inject,
    is_metadata,
    mentions_metadata,
    record,
    sealed_again,
    unsealed,
    withheld,
)

__all__ = [
    "Declares",
    "Key",
    "Metadata",
    "Sealed",
    "declared_by",
    "from_texts",
    "inject",
    "is_metadata",
    "mentions_metadata",
    "record",
    "sealed_again",
    "unsealed",
    "withheld",
]
