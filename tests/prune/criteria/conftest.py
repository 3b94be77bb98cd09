"""What every test of criteria may ask for."""

from __future__ import annotations

import pytest

from tests.prune.criteria.nets import NETS, make_data, make_net


@pytest.fixture(params=list(NETS))
def net(request):
    """Each kind of network in float64, with its data."""
    return make_net(request.param), make_data(NETS[request.param][1])
