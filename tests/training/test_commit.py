import re

import pytest

from striate.training.commit import commit


def test_the_commit_is_known_in_a_checkout_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    known = commit()
    assert known is None or re.fullmatch("[0-9a-f]{40}", known)
    monkeypatch.setenv("PATH", "")
    assert commit() is None
