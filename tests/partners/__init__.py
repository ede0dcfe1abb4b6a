"""Contract tests: what every partner's webhook and list API must do.

A partner is one module here, with a class of a few lines for each of the two that it has.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract", f"{__name__}.source_contract")
