"""How the emulator counts a chain of invocations in the trace header, and when it ends one: pure parts."""

from __future__ import annotations

import re

import pytest

from local.emulator.patches.recursion import MOST_INVOCATIONS, is_refused, lineage, mark, next_trace

MINE = "arn:aws:lambda:eu-west-1:1:function:dispatcher"
OTHER = "arn:aws:lambda:eu-west-1:1:function:watcher"


def trace(**counts: int) -> str:
    """Make a header whose chain went so often through functions of these names."""
    entries = (f"{mark(MINE.replace('dispatcher', name))}:{count}" for name, count in counts.items())
    return f"Root=1-67890abc-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1;Lineage={'|'.join(entries)}"


def test_a_chain_begins_where_no_message_carries_a_header() -> None:
    """The first header has a new root, is not sampled, and counts the function once."""
    begun = next_trace([""], MINE)
    form = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:1"
    assert re.fullmatch(form, begun)
    assert lineage(begun) == {mark(MINE): 1}


def test_a_chain_goes_on_with_its_root_and_counts_each_function_on_its_own() -> None:
    """Root and sampling stay, the parent is new, the invoked function counts one more and no other."""
    before = trace(dispatcher=2, watcher=7)
    after = next_trace([before], MINE)
    assert after.startswith("Root=1-67890abc-0123456789abcdef01234567;Parent=")
    assert "Parent=0123456789abcdef" not in after
    assert ";Sampled=1;" in after
    assert lineage(after) == {mark(MINE): 3, mark(OTHER): 7}


def test_of_a_batch_the_longest_chain_counts() -> None:
    """Messages of several chains make one header, which is no shorter than any of theirs."""
    after = next_trace([trace(dispatcher=1), trace(dispatcher=5, watcher=1), "", trace(watcher=9)], MINE)
    assert lineage(after) == {mark(MINE): 6, mark(OTHER): 9}


def test_a_lineage_names_a_limited_number_of_functions_and_never_forgets_the_invoked_one() -> None:
    """However many functions a chain went through, the header stays short and counts this one."""
    many = trace(**{f"f{number}": 3 for number in range(40)})
    after = lineage(next_trace([many], MINE))
    assert len(after) == 16
    assert after[mark(MINE)] == 1


@pytest.mark.parametrize(
    "header", ["", "Root=1-2-3", "Lineage=", "Lineage=1:a87bd80c:0", "Lineage=x", "no header at all"]
)
def test_a_header_without_a_lineage_of_this_form_counts_nothing(header: str) -> None:
    """Whatever a sender puts there, the chain begins anew instead of failing the delivery."""
    assert lineage(next_trace([header], MINE))[mark(MINE)] == 1


def test_versions_of_a_function_are_one_function() -> None:
    """A qualifier does not make another function of it."""
    assert mark(f"{MINE}:live") == mark(MINE) != mark(OTHER)


def test_the_seventeenth_invocation_is_refused_unless_the_function_allows_it() -> None:
    """16 go through; then Terminate, set or not, refuses, and Allow does not."""
    last, over = trace(dispatcher=MOST_INVOCATIONS), trace(dispatcher=MOST_INVOCATIONS + 1)
    assert [is_refused(last, MINE, setting) for setting in (None, "Terminate", "Allow")] == [False, False, False]
    assert [is_refused(over, MINE, setting) for setting in (None, "Terminate", "Allow")] == [True, True, False]
    assert not is_refused(over, OTHER, None)
