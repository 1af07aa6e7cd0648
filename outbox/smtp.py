"""Mail over SMTP that ends in time: EMAIL_TIMEOUT for each step, and a longest time for everything together."""

from __future__ import annotations

import smtplib
import socket
import threading
from contextlib import suppress
from typing import Any

from django.core.mail.backends import smtp

from common.connecting import connected
from common.outbound import LONGEST


class _Limited:
    """A connection that is cut when its time is over, and knows whether a message may have left."""

    sock: socket.socket | None = None
    may_have_left = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._end = threading.Timer(LONGEST, self._cut)
        self._end.daemon = True
        self._end.start()
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            self._end.cancel()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        """The name is looked up in time, too; certificates are checked against it all the same."""
        here: Any = super()
        return connected(host, port, timeout, lambda address, seconds: here._get_socket(address, port, seconds))

    def data(self, msg: Any) -> Any:
        """From here on only the server's answer tells whether it has the message."""
        self.may_have_left = True
        return super().data(msg)  # type: ignore[misc]

    def close(self) -> None:
        self._end.cancel()
        super().close()  # type: ignore[misc]

    def _cut(self) -> None:
        """Whoever waits for the other side reads that there is nothing more."""
        with suppress(OSError):
            if self.sock:
                self.sock.shutdown(socket.SHUT_RDWR)


class _Plain(_Limited, smtplib.SMTP):
    pass


class _OverTLS(_Limited, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's, in time."""

    # Whether the message of a connection that failed may be there all the same.
    may_have_left = False

    @property
    def connection_class(self) -> Any:
        """Over TLS from the start, or not."""
        return _OverTLS if self.use_ssl else _Plain

    def close(self) -> None:
        """Say goodbye; a message that was taken stays taken, whatever comes of that."""
        self.may_have_left = getattr(self.connection, "may_have_left", False)
        with suppress(OSError):
            super().close()
