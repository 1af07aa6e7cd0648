"""The small example keeps what providers promise, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import wayout_transfers
from wayout_transfers import Transfers

from billing.providers.base import Provider, ProviderUnavailable, RefundOutcome, RefundRequest
from billing.providers.contract import ProviderContract


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setattr(wayout_transfers, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
class TestTransfers(ProviderContract):
    """It asks nobody, bills nothing and has no webhook: `provider` is all that the tests have to be given."""

    @pytest.fixture
    def provider(self) -> Provider:
        """One with an empty folder."""
        return Transfers({})

    def test_what_accounting_has_paid_came_back(
        self, provider: Provider, refund_request: RefundRequest, folder: Path
    ) -> None:
        """Asked again, it says so; ordered again, nothing is paid twice."""
        assert provider.refund(refund_request).outcome is RefundOutcome.PENDING
        (folder / f"{refund_request.key}.paid").touch()
        found = provider.find(refund_request)
        assert found
        assert found.outcome is RefundOutcome.SUCCEEDED
        assert provider.refund(refund_request) == found

    def test_a_folder_that_is_not_there_tells_nothing(
        self, provider: Provider, refund_request: RefundRequest, folder: Path
    ) -> None:
        """Neither that a refund never arrived, nor that it did."""
        folder.rename(f"{folder}-elsewhere")
        for ask in (provider.refund, provider.find):
            with pytest.raises(ProviderUnavailable):
                ask(refund_request)
