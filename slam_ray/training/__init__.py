"""How is it tuned? Selective fine-tuning on translation pairs with Ray Train and DeepSpeed ZeRO-2 (section 3.3)."""

from slam_ray.training.job import StepLoss, TrainResult
from slam_ray.training.step import check_projections, check_training, read_losses, train_step

__all__ = ["StepLoss", "TrainResult", "check_projections", "check_training", "read_losses", "train_step"]
