"""An S3 server of the tests' own, in their process: its content outlives its absence."""

import contextlib
import os
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from slam_ray.store.s3 import S3Location

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "canary-s3-secret", "AWS_REGION": "us-east-1"}
BUCKET = "slam-ray-tests"


class S3Server:
    """A server that comes and goes at one address."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self._server.start()
        self.host, self.port = self._server.get_host_and_port()

    def leave(self) -> None:
        """Answer no more."""
        self._server.stop()

    def come_back(self) -> None:
        """Answer again, with all that was put here before."""
        self._server = ThreadedMotoServer(ip_address=self.host, port=self.port)
        self._server.start()


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with an empty bucket, in the environment of this process."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://{server.host}:{server.port}"}).items():
            patch.setenv(name, value)
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield server
    server.leave()


def keys(prefix: str) -> S3Location:
    """A place in the bucket."""
    return S3Location(f"s3://{BUCKET}/{prefix}")
