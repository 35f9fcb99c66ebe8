"""Texts that could be mistaken for markup, or for the end of a string, by a format of pictures."""

from __future__ import annotations

TRAPS = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    'a"]; b --> c %% end',
    '\\N\\"; n0 -> n1',
    "&lt;b&gt; &amp; #35; #quot;",
    "1. one\n- two\r\n# three `four` *five* _six_",
    "]]>\u2028\u2029\x00\x1b[31mred\x07",
    "é😀\u202eright to left",
    "graph end subgraph style:x#y;",
]
