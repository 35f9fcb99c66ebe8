"""neomodel's base classes with type annotations.

neomodel creates a base of `StructuredNode` at run time, so that type checkers accept any attribute
of a node. With these stubs they report misspelt attributes and wrong node classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import neomodel

if TYPE_CHECKING:
    from neomodel.exceptions import DoesNotExist

    NodeMeta = type

    class NodeBase:
        """`neomodel.StructuredNode`."""

        DoesNotExist: ClassVar[type[DoesNotExist]]
        __label__: str
        __all_properties__: ClassVar[tuple[tuple[str, Any], ...]]
        __all_relationships__: ClassVar[tuple[tuple[str, Any], ...]]
        deleted: bool
        element_id_property: Any

        def __init__(self, **values: Any) -> None: ...
        @property
        def __properties__(self) -> dict[str, Any]: ...
        @property
        def element_id(self) -> Any: ...
        @classmethod
        def defined_properties(
            cls, aliases: bool = True, properties: bool = True, rels: bool = True
        ) -> dict[str, Any]: ...
        @classmethod
        def inherited_labels(cls) -> list[str]: ...

    class ManagerBase:
        """`neomodel.RelationshipManager`."""

        source: Any
        name: str
        definition: dict[str, Any]

        def __init__(self, source: Any, key: str, definition: dict[str, Any]) -> None: ...
        def _set_start_end_cls(self, edge: Any, node: Any) -> Any: ...

else:
    ManagerBase = neomodel.RelationshipManager
    NodeBase = neomodel.StructuredNode
    NodeMeta = type(neomodel.StructuredNode)
