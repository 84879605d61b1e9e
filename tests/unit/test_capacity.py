"""Whether workers fit a cluster is said without Ray, from what its nodes have."""

from slam_ray.cluster.capacity import shortfall
from slam_ray.store.workers import Workers


def test_shortfall_names_what_is_missing() -> None:
    workers = Workers("training", 3, cpus=1, gpus=1)
    assert shortfall(workers, [{"CPU": 8, "GPU": 2}, {"CPU": 1, "GPU": 4}]) is None
    assert "room for 2" in (shortfall(workers, [{"CPU": 8, "GPU": 2}, {"CPU": 64}]) or "")
    assert "--execution.training_workers 1" in (shortfall(workers, [{"CPU": 8}]) or "")
