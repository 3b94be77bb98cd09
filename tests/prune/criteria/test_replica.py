from __future__ import annotations

import pytest
import torch

from fpgaprune.prune.criteria import replica as replicas
from fpgaprune.prune.criteria.replica import count, first_samples, replica
from fpgaprune.prune.masks import prunable
from tests.prune.criteria.nets import make_context, make_data, make_net


@pytest.mark.parametrize(
    ("samples", "sizes"), [(1, [1]), (4, [4]), (5, [5]), (7, [5, 2]), (11, [5, 5, 1]), (12, [5, 5, 2]), (99, [5, 5, 2])]
)
def test_the_first_samples_are_taken_in_the_batches_of_the_data(samples, sizes):
    data = make_data((6,))
    found = list(first_samples(data, samples))
    assert [count(batch) for batch in found] == sizes
    for (x, y), (whole_x, whole_y) in zip(found, data.train_batches(), strict=False):
        assert torch.equal(x, whole_x[: len(x)])
        assert torch.equal(y, whole_y[: len(y)])


def test_not_one_batch_more_than_needed_is_read():
    read = []

    class Counting(list):
        def __iter__(self):
            for batch in super().__iter__():
                read.append(batch)
                yield batch

    data = make_data((6,))
    object.__setattr__(data, "train", Counting(data.train_batches()))
    list(first_samples(data, 10))
    assert len(read) == 2


def test_several_inputs_are_cut_together():
    data = make_data((6,))
    x, y = next(data.train_batches())
    object.__setattr__(data, "train", [((x, x * 2), y)])
    (((one, two), targets),) = first_samples(data, 3)
    assert torch.equal(one * 2, two)
    assert len(one) == len(targets) == 3


def test_the_loss_is_the_mean_over_samples_whatever_the_batches():
    model, data = make_net("mlp"), make_data((6,))
    context = make_context(model, data)
    with replica("test", prunable(model), context) as work:
        assert work.samples == 12
        parts = work.mean_gradients()
        x, y = (torch.cat(part) for part in zip(*work.batches, strict=True))
        whole = work.mean_gradients([(x, y)])
    for name in parts:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-12, atol=1e-16)


def test_the_block_leaves_no_setting_behind_even_when_it_fails():
    model, data = make_net("mlp"), make_data((6,))
    before = settings()

    def enter_and_fail():
        with torch.no_grad(), replica("test", prunable(model), make_context(model, data)):
            assert torch.is_grad_enabled()
            assert settings()[:3] == (False, False, False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enter_and_fail()
    assert settings() == before


def settings():
    return (
        torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cudnn.enabled,
        torch.backends.cuda.flash_sdp_enabled(),
        torch.random.get_rng_state().tolist(),
    )


def test_another_type_is_that_of_weights_and_floating_data(mlp):
    data = make_data((8,))
    with replica("test", prunable(mlp), make_context(mlp, data), torch.float64) as work:
        assert {weight.dtype for weight in work.weights.values()} == {torch.float64}
        (x, y) = work.batches[0]
        assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    assert mlp[0].weight.dtype == torch.float32


def test_sums_begin_at_zero_in_float64(mlp):
    sums = replicas.zeros(prunable(mlp))
    assert [(tuple(each.shape), each.dtype, each.count_nonzero()) for each in sums.values()] == [
        ((16, 8), torch.float64, 0),
        ((3, 16), torch.float64, 0),
    ]
