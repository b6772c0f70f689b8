"""Jobs beside the main thread, which Ctrl-C may hit between any two steps."""

import gc
import sys
import threading
from contextlib import closing
from itertools import count

import pytest

from jointvos.media import FanOut, read_ahead
from jointvos.media.worker import Worker


@pytest.fixture
def worker():
    made = Worker("jointvos-test")
    yield made
    made.end()


def test_jobs_are_done_in_their_order(worker):
    done = []
    answers = [worker.submit(lambda i=i: done.append(i) or i) for i in range(50)]
    assert [answer.result() for answer in answers] == done == list(range(50))


def test_errors_come_out_of_the_answer(worker):
    wrong = worker.submit(int, "one")
    with pytest.raises(ValueError, match="one"):
        wrong.result()
    assert worker.submit(int, "1").result() == 1


def test_what_waits_at_the_end_is_not_done():
    worker, begun, done = Worker("jointvos-test"), threading.Event(), []
    go_on = threading.Event()
    first = worker.submit(lambda: (begun.set(), go_on.wait(30), done.append("first")))
    second = worker.submit(done.append, "second")
    begun.wait(30)
    threading.Timer(0.1, go_on.set).start()
    worker.end()
    assert first.done()
    assert not second.done()
    assert done == ["first"]


def interrupted(step, function):
    """Whether it was interrupted, which it is before that step of Python code if it gets there."""
    steps = count()

    def trace(frame, event, _argument):
        frame.f_trace_opcodes = True
        if event == "opcode" and next(steps) == step:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    gc.disable()  # what it would call is not to be interrupted
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return False


def ends(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(30)
    return not thread.is_alive()


class Sink:
    path = None

    def write(self, frame, result):
        pass

    close = commit = finish = abort = lambda self: None


def test_an_interruption_anywhere_leaves_nothing_that_waits_for_ever():
    for step in count():
        sinks = FanOut([Sink()], depth=1)
        hit = interrupted(step, lambda sinks=sinks: [sinks.write(None, None) for _ in range(2)])
        assert ends(sinks.abort), step
        if not hit:
            break
    assert step > 50


def test_nor_does_one_while_frames_are_awaited():
    for step in count():
        with closing(read_ahead(range(1, 9), depth=2)) as numbers:
            next(numbers)
            hit = interrupted(step, lambda numbers=numbers: [next(numbers) for _ in range(2)])
            assert ends(numbers.close), step
        if not hit:
            break
    assert step > 50
