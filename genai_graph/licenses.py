"""SPDX spelling of licenses, from identifiers in any case, Hub ids and well-known addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Identifiers of the SPDX License List that occur on model and dataset cards.
_SPDX = """
0BSD AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0
BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0 BUSL-1.1 C-UDA-1.0
CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-1.0 CC-BY-NC-2.0 CC-BY-NC-2.5
CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-1.0 CC-BY-NC-ND-2.0 CC-BY-NC-ND-2.5 CC-BY-NC-ND-3.0
CC-BY-NC-ND-4.0 CC-BY-NC-SA-1.0 CC-BY-NC-SA-2.0 CC-BY-NC-SA-2.5 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0
CC-BY-ND-1.0 CC-BY-ND-2.0 CC-BY-ND-2.5 CC-BY-ND-3.0 CC-BY-ND-4.0 CC-BY-SA-1.0 CC-BY-SA-2.0
CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CC-PDDC CDDL-1.0 CDLA-Permissive-1.0
CDLA-Permissive-2.0 CDLA-Sharing-1.0 ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 GFDL-1.3 GPL-2.0
GPL-2.0-only GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later HPND ISC LGPL-2.1
LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later LPPL-1.3c MIT MIT-0
MPL-1.1 MPL-2.0 MS-PL NCSA O-UDA-1.0 ODbL-1.0 ODC-By-1.0 OFL-1.1 OGL-UK-3.0 OSL-3.0 PDDL-1.0
PostgreSQL PSF-2.0 Python-2.0 Unlicense UPL-1.0 Vim W3C WTFPL Zlib ZPL-2.1
"""
# Ids of the Hub, and names in prose, that differ from the SPDX id in more than case.
_SYNONYMS = {
    "afl": "AFL-3.0",
    "agpl": "AGPL-3.0",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "c-uda": "C-UDA-1.0",
    "cc0": "CC0-1.0",
    "cdla-permissive": "CDLA-Permissive-1.0",
    "cdla-sharing": "CDLA-Sharing-1.0",
    "gfdl": "GFDL-1.3",
    "lgpl-lr": "LGPLLR",
    "mit license": "MIT",
    "ms-pl": "MS-PL",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "osl": "OSL-3.0",
    "ofl": "OFL-1.1",
    "pddl": "PDDL-1.0",
    "postgresql": "PostgreSQL",
    "the mit license": "MIT",
    "unlicense": "Unlicense",
    "zlib": "Zlib",
}
# Addresses of opensource.org that are not an SPDX id.
_OPEN_SOURCE = {
    "mit-license": "MIT",
    "apache2.0": "Apache-2.0",
    "bsd-license": "BSD-2-Clause",
    "gpl-license": "GPL-3.0",
}
_IDS = {
    **{license_id.lower(): license_id for license_id in _SPDX.split()},
    **_SYNONYMS,
}
_CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(?:licenses/(?P<terms>[a-z-]+)/(?P<version>[0-9.]+)"
    r"|publicdomain/(?P<domain>zero|mark)/(?P<public>[0-9.]+))(?:/.*)?",
    re.IGNORECASE,
)
_OTHER_SITES = re.compile(
    r"(?:https?://)?(?:www\.)?(?:"
    r"(?:choosealicense\.com|opensource\.org)/licenses?/|spdx\.org/licenses/"
    r"|apache\.org/licenses/LICENSE-)(?P<id>[A-Za-z0-9.+-]+?)(?:\.html|\.txt|\.php)?/?(?:[?#].*)?",
    re.IGNORECASE,
)


def spdx_license(text: str, terms: Mapping[str, str] | None = None) -> str:
    """Return a license in SPDX spelling, or the text unchanged if it has no SPDX id.

    `terms` are the user's own: an exact text and its license.
    """
    if terms and text in terms:
        return terms[text]
    stripped = text.strip()
    known = _IDS.get(stripped.lower())
    if known is not None:
        return known
    if found := _CREATIVE_COMMONS.fullmatch(stripped):
        return _creative_commons(found) or text
    if found := _OTHER_SITES.fullmatch(stripped):
        name = found["id"].lower()
        if "apache.org" in stripped.lower():
            name = f"apache-{name}"
        return _OPEN_SOURCE.get(name) or _IDS.get(name) or text
    return text


def _creative_commons(found: re.Match[str]) -> str | None:
    if found["domain"]:
        if found["domain"].lower() == "zero":
            return _IDS.get(f"cc0-{found['public']}")
        return "CC-PDM-1.0" if found["public"] == "1.0" else None
    return _IDS.get(f"cc-{found['terms'].lower()}-{found['version']}")
