from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, Sampler, TensorDataset

from fpgaprune.errors import InputError
from fpgaprune.prune.data import Data
from fpgaprune.prune.split import chosen, split_validation


def labelled(samples=120, classes=3):
    """Return inputs that are their own numbers, so that parts can be told apart, and labels of unequal classes."""
    y = torch.cat([torch.zeros(samples // 2), torch.arange(samples - samples // 2) % classes]).long()
    return torch.arange(samples, dtype=torch.float32)[:, None], y


def numbers(batches):
    return [int(value) for x, _ in batches for value in x.flatten()]


def parts(data):
    return numbers(data.train_batches()), numbers(data.validation_batches())


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("kind", ["arrays", "list", "loader", "shuffled loader"])
def test_each_sample_is_in_one_part_and_each_class_gives_its_share(share, kind):
    x, y = labelled()
    train = {
        "arrays": Data.from_arrays(x, y, x, y, batch_size=16).train,
        "list": list(zip(x.split(16), y.split(16), strict=True)),
        "loader": DataLoader(TensorDataset(x, y), batch_size=16),
        "shuffled loader": DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True),
    }[kind]
    split = split_validation(Data(train, [(x, y)]), share)
    kept, taken = parts(split)
    assert sorted(kept + taken) == list(range(120))
    assert len(taken) == round(share * 120)
    for label in range(3):
        size = int((y == label).sum())
        assert abs(int((y[taken] == label).sum()) - share * size) <= 1
    assert all(torch.equal(y[number], target) for x, t in split.train_batches() for number, target in zip(
        x.flatten().long(), t, strict=True))  # fmt: skip
    assert split.test is not None
    assert numbers(split.test_batches()) == list(range(120))


def test_equal_data_gives_equal_parts_and_less_is_a_part_of_more():
    x, y = labelled()
    data = Data.from_arrays(x, y, x, y)
    few, again, many = (set(parts(split_validation(data, share))[1]) for share in (0.1, 0.1, 0.3))
    assert few == again
    assert few < many
    assert few != set(range(12))


def test_lists_arrays_and_loaders_are_split_alike():
    x, y = labelled()
    sources = (
        Data.from_arrays(x, y, x, y).train,
        [(x[:50], y[:50]), (x[50:], y[50:])],
        DataLoader(TensorDataset(x, y), batch_size=7),
    )
    first, *others = (set(parts(split_validation(Data(source, [(x, y)]), 0.2))[1]) for source in sources)
    assert all(other == first for other in others)


def test_training_samples_are_still_shuffled_and_validation_is_not():
    x, y = labelled()
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, generator=torch.Generator())
    for source in (Data.from_arrays(x, y, x, y).train, loader):
        split = split_validation(Data(source, [(x, y)]), 0.25)
        one, two, again = (numbers(split.train_batches(epoch)) for epoch in (1, 2, 1))
        assert sorted(one) == sorted(two)
        assert one == again != two
        assert numbers(split.validation_batches()) == sorted(parts(split)[1])


def test_a_dataset_of_any_pairs_is_stratified_by_its_labels():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 100

        def __getitem__(self, place):
            return torch.tensor([float(place)]), int(place < 10)

    split = split_validation(Data(DataLoader(Pairs(), batch_size=10), [(torch.ones(1, 1), torch.ones(1))]), 0.1)
    assert sum(number < 10 for number in parts(split)[1]) == 1


@pytest.mark.parametrize(
    "y", [torch.arange(40.0), torch.arange(80).reshape(40, 2) % 2, (torch.ones(40), torch.ones(40))]
)
def test_other_targets_are_split_without_classes(y):
    x = torch.arange(40.0)[:, None]
    for data in (Data.from_arrays(x, y, x, y, batch_size=8), Data([(x, y)], [(x, y)])):
        kept, taken = parts(split_validation(data, 0.25))
        assert len(taken) == 10
        assert sorted(kept + taken) == list(range(40))


def test_labels_of_their_own_are_spread_over_the_data():
    taken = chosen(torch.arange(1000), 1000, 0.1)
    assert int(taken.sum()) == 100
    assert 20 <= int(taken[:500].sum()) <= 80


def test_a_part_of_ones_own_stays():
    x, y = labelled()
    data = Data([(x, y)], [(x, y)], [(x[:5], y[:5])])
    assert split_validation(data, 0.5) is data
    assert numbers(data.validation_batches()) == [0, 1, 2, 3, 4]
    assert split_validation(Data([(x, y)], [(x, y)]), 0.0).validation is None


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.ones(1), torch.tensor(1))] * 6)


class Endless:
    def __iter__(self):
        return iter([(torch.ones(2, 1), torch.ones(2))])


class Backwards(Sampler):
    def __iter__(self):
        return iter(range(39, -1, -1))

    def __len__(self):
        return 40


SET = TensorDataset(torch.ones(40, 1), torch.zeros(40).long())


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            DataLoader(Stream(), batch_size=2),
            "a DataLoader with a sampler or batches of its own; give a validation part",
        ),
        (DataLoader(SET, sampler=Backwards()), "a sampler or batches of its own"),
        (DataLoader(SET, sampler=RandomSampler(SET, replacement=True)), "a sampler or batches of its own"),
        (DataLoader(SET, sampler=RandomSampler(SET, num_samples=10)), "a sampler or batches of its own"),
        (DataLoader(SET, batch_size=None), "a sampler or batches of its own"),
        (Endless(), r"split from Endless, as its samples have no numbers; .*Data\(train, test, validation\)"),
        ([(torch.ones(3, 1), torch.ones(3))], "a validation share of 0.1 of 3 samples leaves none for validation"),
        ([(torch.ones(1, 1), torch.ones(1))], "leaves none for"),
    ],
)
def test_what_cannot_be_split_is_refused(train, message):
    with pytest.raises(InputError, match=message):
        split_validation(Data(train, [(torch.ones(1, 1), torch.ones(1))]), 0.1)


def test_nothing_left_to_train_on_is_refused():
    x = torch.ones(3, 1)
    with pytest.raises(InputError, match=r"a validation share of 0\.9 of 3 samples leaves none for training"):
        split_validation(Data([(x, x)], [(x, x)]), 0.9)


def test_validation_data_is_checked():
    x, y = labelled()
    with pytest.raises(InputError, match="the validation data is empty"):
        Data([(x, y)], [(x, y)], [])
    with pytest.raises(InputError, match="the data has no validation part; give Data"):
        Data([(x, y)], [(x, y)]).validation_batches()
    with pytest.raises(InputError, match="the validation data has 3 inputs and 2 targets"):
        list(Data([(x, y)], [(x, y)], [(x[:3], y[:2])]).validation_batches())
