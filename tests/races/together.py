"""Start many threads at the same instant and hear what every one of them got."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def together(threads: int, work: Callable[[int], T]) -> list[T | Exception]:
    """The answer, or the exception, of each of ``threads`` calls of ``work(number)`` released at once."""
    answers: list[T | Exception | None] = [None] * threads
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = work(number)
        except Exception as error:
            answers[number] = error
        finally:
            connection.close()

    started = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in started)
    return [answer for answer in answers if answer is not None]
