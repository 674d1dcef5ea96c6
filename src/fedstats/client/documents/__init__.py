"""Documents that data protection asks for, made of an agreement and of its runs in the register. Pure.

One file is one document; `page` writes Markdown, `dossier` holds what they are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fedstats.client.documents import atrs, dpia, five_safes, satre
from fedstats.client.documents.dossier import Dossier

PAGES: Mapping[str, Callable[[Dossier], str]] = {
    "dpia": dpia.page_of,
    "atrs": atrs.page_of,
    "satre": satre.page_of,
    "five-safes": five_safes.page_of,
}
"""Each document in Markdown, by the name of its command."""
