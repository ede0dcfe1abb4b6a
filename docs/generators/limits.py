"""The page of what each partner cannot do: what the partners themselves declare."""

from __future__ import annotations

from connector.partners import Partner, Partners, built_in
from docs.generators import DOCS

_HEAD = """\
# Limits of each partner

What a partner's webhooks cannot tell, and how sure we are of its dialect. Read yours before you promise anything to
your customers. What the limits mean in general: [Partners](../partners/README.md#what-the-columns-mean-for-you).

*Written from what the code declares by `make docs`.*
"""


def page() -> str:
    partners = sorted((Partners().get(name) for name in built_in()), key=lambda partner: partner.title.lower())
    return _HEAD + "".join(_section(partner) for partner in partners)


def _section(partner: Partner) -> str:
    own = DOCS / f"partners/{partner.name}.md"
    more = f"\nMore: [{partner.title}](../partners/{own.name}).\n" if own.exists() else ""
    weaknesses = "".join(f"* {sentence}\n" for sentence in partner.weaknesses) or "None that we know.\n"
    verified = f"\n**Verified:** {partner.verified}.\n" if partner.verified else ""
    return f"\n## {partner.title}\n\n{weaknesses}{verified}{more}"
