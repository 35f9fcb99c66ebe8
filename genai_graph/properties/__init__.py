"""Typed properties: validation, storage and file formats of values, encryption and redaction.

The property types for one's own node classes are public names of this package.
"""

from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    Property,
    RequiredFloatProperty,
    RequiredStringProperty,
    StringProperty,
)

__all__ = [
    "ArrayProperty",
    "BooleanProperty",
    "DateTimeProperty",
    "FloatProperty",
    "IntegerProperty",
    "JSONProperty",
    "LocationProperty",
    "Property",
    "RequiredFloatProperty",
    "RequiredStringProperty",
    "StringProperty",
]
