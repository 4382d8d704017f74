"""Pauses between attempts: full jitter under a bound that doubles."""

from gateway.pauses import LONGEST_PAUSE, Pauses

MANY = 400


def taken(count, **settings):
    pauses = Pauses(**settings)
    return [pauses.take() for _ in range(count)]


def test_the_bound_doubles_up_to_the_longest_and_begins_anew_when_it_succeeded():
    rows = [taken(8) for _ in range(MANY)]
    bounds = [1, 2, 4, 8, 16, 30, 30, 30]
    assert bounds[-1] == LONGEST_PAUSE
    for bound, column in zip(bounds, zip(*rows, strict=True), strict=True):
        assert all(0 <= pause <= bound for pause in column)
        # The whole of it is used: 400 draws miss a fifth with a probability below 1e-38.
        assert min(column) < 0.2 * bound
        assert max(column) > 0.8 * bound
    pauses = Pauses(first=0.5, longest=2)
    assert all(pauses.take() <= bound for bound in (0.5, 1, 2, 2, 2))
    pauses.reset()
    assert pauses.take() <= 0.5


def test_two_that_began_together_do_not_keep_in_step():
    assert taken(5) != taken(5)
