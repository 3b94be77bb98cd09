"""The open headers in every project, one of them changed."""

from __future__ import annotations

import pytest

from fpgaprune.emit.headers import ap_types, without_volatile
from fpgaprune.errors import ToolError


def test_only_words_that_are_volatile_go_through_memory():
    text = ap_types()["include/ap_types/etc/ap_private.h"]
    plain, volatile = text.index("clearUnusedBits(void)\n"), text.index("clearUnusedBits(void) volatile\n")
    assert plain < volatile
    body = text[plain:].split("\n  }\n")[0].split("\n", 1)[1]
    assert text[volatile:].split("\n  }\n")[0].split("\n", 1)[1] == body
    assert "Added by fpgaprune" in text
    assert "(c) Copyright" in text or "Copyright" in text, "the licence stays"


def test_headers_of_another_version_are_refused():
    with pytest.raises(ToolError, match=r"not those of version 1\.3; pip install"):
        without_volatile("class ap_private {};")
