from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from fpgaprune.errors import InputError
from fpgaprune.prune.batches import batch_count
from fpgaprune.prune.data import ArrayBatches, Data


def arrays(train: int = 5, test: int = 3):
    x = np.arange(train * 2, dtype=np.float64).reshape(train, 2)
    return x, np.arange(train), np.ones((test, 2)), np.zeros(test, dtype=np.int32)


def loader(**options) -> DataLoader:
    return DataLoader(TensorDataset(torch.arange(12.0).reshape(12, 1), torch.arange(12)), batch_size=4, **options)


def targets(batches) -> list[int]:
    return [int(value) for _, y in batches for value in y]


def test_types_come_out_ready_for_torch():
    data = Data.from_arrays(*arrays(), batch_size=2)
    x, y = next(data.train_batches())
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert next(data.test_batches())[1].dtype == torch.int64
    pixels = Data.from_arrays(np.ones((2, 3), np.uint8), [0, 1], [[1]], [True])
    assert next(pixels.train_batches())[0].dtype == torch.uint8
    assert next(pixels.test_batches())[1].dtype == torch.int64
    double = torch.ones(2, 2, dtype=torch.float64)
    assert Data.from_arrays(double, [0, 1], double, [0, 1]).example().dtype == torch.float64


def test_data_does_not_change_with_the_array_it_came_from():
    x, y, test_x, test_y = arrays()
    data = Data.from_arrays(x, y, test_x, test_y)
    test_x[:] = 7.0
    assert data.example().eq(1).all()


def test_epochs_are_shuffled_differently_and_repeatably():
    data = Data.from_arrays(*arrays(train=40), batch_size=8, seed=3)
    first, second = targets(data.train_batches(0)), targets(data.train_batches(1))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert first != list(range(40))
    assert targets(data.train_batches(0)) == first == targets(data.train)
    other = Data.from_arrays(*arrays(train=40), batch_size=8, seed=4)
    assert targets(other.train_batches(0)) != first


def test_inputs_and_targets_stay_together():
    for x, y in Data.from_arrays(*arrays(train=9), batch_size=2).train_batches(5):
        assert torch.equal(x[:, 0], 2.0 * y)


def test_test_data_is_in_order_and_whole():
    data = Data.from_arrays(*arrays()[:2], np.arange(14.0).reshape(7, 2), np.arange(7), batch_size=2)
    x, y = data.test_arrays()
    assert x.tolist() == np.arange(14.0).reshape(7, 2).tolist()
    assert y.tolist() == list(range(7))
    assert data.example().tolist() == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(("samples", "sizes"), [(1, [1]), (4, [4]), (5, [5]), (6, [4, 2]), (8, [4, 4]), (9, [4, 5])])
def test_no_single_sample_is_left_over(samples, sizes):
    batches = ArrayBatches(torch.ones(samples, 1), torch.ones(samples), 4)
    assert [len(x) for x, _ in batches] == sizes
    assert len(batches) == len(sizes)


def test_loaders_repeat_by_epoch_and_keep_their_generators():
    own = torch.Generator().manual_seed(1)
    data = Data(loader(shuffle=True, generator=own), loader())
    before = own.get_state()
    first = targets(data.train_batches(3))
    assert targets(data.train_batches(3)) == first
    assert targets(data.train_batches(4)) != first
    assert torch.equal(own.get_state(), before)
    assert targets(data.test_batches()) == list(range(12))
    data.example()
    assert torch.equal(own.get_state(), before)


def test_looking_at_test_data_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    data = Data(loader(), loader(shuffle=True))
    assert torch.equal(data.example(), data.example())
    data.test_arrays()
    assert torch.equal(torch.get_rng_state(), before)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.ones(2), torch.tensor(1))] * 6)


def test_batch_counts():
    assert batch_count(loader()) == 3
    assert batch_count(DataLoader(Stream(), batch_size=2)) is None
    assert batch_count([(1, 2)]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_x": np.ones((0, 2)), "train_y": np.ones(0)}, "the train data is empty"),
        ({"test_x": np.ones((0, 2)), "test_y": []}, "the test data is empty"),
        ({"train_x": np.float64(3)}, "the train data is empty"),
        ({"train_y": [1, 2]}, "the train data has 5 inputs and 2 targets"),
        ({"test_x": np.array([[1.0, math.nan]] * 3)}, "the test inputs hold NaN or infinite"),
        ({"train_x": np.array([[1.0, math.inf]] * 5)}, "the train inputs hold NaN or infinite"),
        ({"train_x": np.full((5, 2), 1e300)}, "the train inputs hold NaN or infinite"),
        ({"train_y": np.array([math.nan] * 5)}, "the train targets hold NaN or infinite"),
        ({"test_y": np.array(["a", "b", "c"])}, "test_y must hold numbers"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_unusable_arrays_are_named(changes, message):
    given = dict(zip(("train_x", "train_y", "test_x", "test_y"), arrays(), strict=True))
    with pytest.raises(InputError, match=message):
        Data.from_arrays(**{**given, **changes})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ([], "the train data is empty"),
        (iter([1]), "train can be read only once; give a list or a DataLoader"),
        (3, r"train must be batches \(x, y\), not int"),
        (TensorDataset(torch.ones(2), torch.ones(2)), "not TensorDataset; wrap a Dataset in a DataLoader"),
    ],
)
def test_unusable_iterables_are_refused_at_once(train, message):
    with pytest.raises(InputError, match=message):
        Data(train, loader())


ONE = torch.ones(1)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (ONE, "must be a pair of tensors .*, not a Tensor"),
        ((ONE,), "must be a pair of tensors .*, not a tuple of Tensor"),
        ([ONE, 3], "must be a pair of tensors .*, not a list of Tensor, int"),
        (((ONE, 3), ONE), "must be a pair of tensors .*, or of tuples of them, not a tuple of tuple, Tensor"),
        (((), ONE), "must be a pair of tensors .*, not a tuple of tuple, Tensor"),
        (((ONE, torch.ones(2)), ONE), r"1 samples in inputs\[0\] and 2 in inputs\[1\]; each sample needs all"),
        ((torch.ones(2), ONE), "2 inputs and 1 targets"),
        ((ONE * math.nan, ONE), "the train inputs hold NaN"),
    ],
)
def test_unusable_batches_are_refused_when_they_come(batch, message):
    with pytest.raises(InputError, match=message):
        list(Data([batch], loader()).train_batches())


def test_a_stream_that_yields_nothing_is_refused():
    class Nothing:
        def __iter__(self):
            return iter(())

    with pytest.raises(InputError, match="the train data is empty"):
        list(Data(Nothing(), loader()).train_batches())


def pair(samples: int):
    """Two inputs of different shapes for each of so many samples, and its number."""
    numbers = np.arange(samples)
    return (np.stack([numbers, -numbers], axis=1) * 1.0, numbers.reshape(samples, 1, 1) * 2.0), numbers


def test_several_inputs_are_batched_together():
    data = Data.from_arrays(*pair(9), *pair(5), batch_size=4)
    for (first, second), y in data.train_batches(2):
        assert torch.equal(first, torch.stack([y, -y], dim=1).float())
        assert torch.equal(second, 2.0 * y.reshape(-1, 1, 1))
    assert sorted(targets(data.train_batches(2))) == list(range(9))
    assert [part.shape for part in data.example()] == [(5, 2), (5, 1, 1)]  # the one that is left over joins
    (first, second), y = data.test_arrays()
    assert isinstance(first, np.ndarray)
    assert (first.tolist(), second.tolist(), y.tolist()) == (
        pair(5)[0][0].tolist(),
        pair(5)[0][1].tolist(),
        [*range(5)],
    )


def test_several_targets_are_a_tuple_too():
    x, y = pair(6)
    data = Data.from_arrays(x[0], (y, x[1]), x[0], (y, x[1]), batch_size=2)
    _, (classes, values) = next(data.train_batches())
    assert (classes.dtype, values.dtype) == (torch.int64, torch.float32)
    assert torch.equal(values.reshape(-1), 2.0 * classes)
    _, (classes, values) = data.test_arrays()
    assert (classes.shape, values.shape) == ((6,), (6, 1, 1))


def test_one_array_in_a_tuple_is_one_array():
    x, y = arrays()[:2]
    data = Data.from_arrays((x,), (y,), (x,), (y,))
    assert torch.equal(data.example(), torch.tensor(x, dtype=torch.float32))
    assert data.test_arrays()[0].shape == x.shape
    assert next(Data([[[ONE], ONE]], loader()).train_batches())[0] is ONE


def test_loaders_collate_several_inputs_into_lists():
    samples = [((torch.ones(2) * i, torch.zeros(1)), i) for i in range(4)]
    data = Data(DataLoader(samples, batch_size=2), DataLoader(samples, batch_size=2))
    (first, second), y = next(data.train_batches())
    assert (first.shape, second.shape, y.tolist()) == ((2, 2), (2, 1), [0, 1])
    assert [part.shape for part in data.test_arrays()[0]] == [(4, 2), (4, 1)]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, (np.ones((4, 2)), np.ones((3, 1))), r"the train data has 4 samples in inputs\[0\] and 3 in inputs\[1\]"),
        (0, (np.ones((3, 2)), np.ones((3, 1))), r"the train data has 3 inputs and 4 targets"),
        (1, (np.arange(4), np.arange(3)), r"the train data has 4 inputs and 3 targets\[1\]"),
        (0, (np.ones((4, 2)), np.full((4, 1), math.nan)), r"the train inputs\[1\] hold NaN"),
        (0, (np.ones((4, 2)), np.ones((0, 1))), "the train data is empty"),
        (2, np.ones((2, 2)), r"train_x has 2 inputs and test_x 1; give as many arrays in both"),
        (3, (np.arange(2),) * 2, r"train_y has 1 targets and test_y 2"),
    ],
)
def test_several_arrays_that_do_not_fit_are_named(place, value, message):
    given = [*pair(4), *pair(2)]
    given[place] = value
    with pytest.raises(InputError, match=message):
        Data.from_arrays(*given)


def test_test_batches_of_different_shapes_cannot_be_stacked():
    ragged = [(torch.ones(1, 2), torch.ones(1)), (torch.ones(1, 3), torch.ones(1))]
    with pytest.raises(InputError, match=r"different shapes: \(2,\), \(3,\)"):
        Data(loader(), ragged).test_arrays()
