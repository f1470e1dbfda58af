"""Installs the package: `pip install .`, or with extras `pip install ".[and-cuda]"`."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "keras_resnet/version.py").read_text())[1]

# COCO's own evaluation of detectors.
COCO = ["pycocotools>=2.0.8"]

# Tables of predictions in Parquet.
PARQUET = ["pyarrow>=17"]

# scikit-image brings photographs; nbclient and ipykernel run the examples; pydot draws networks;
# keras-hub has detectors that the networks become a part of; setuptools builds the wheel;
# check-jsonschema and kubernetes-validate bring the schemas of Compose and Kubernetes; cryptography
# makes certificates for servers.
TEST = [
    *COCO,
    *PARQUET,
    "pytest>=8",
    "pytest-xdist",
    "cryptography",
    "hypothesis",
    "scikit-image",
    "nbclient",
    "ipykernel",
    "pydot",
    "setuptools>=77",
    "openvino",
    "keras-hub",
    "check-jsonschema",
    "kubernetes-validate",
    # The example of a tracker, with what its files need.
    "mlflow-skinny",
    "sqlalchemy",
    "alembic",
]

setuptools.setup(
    name="keras-resnet-paper",
    version=VERSION,
    description="Deep Residual Learning for Image Recognition on Keras and TensorFlow",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # launch/ is installed as keras_resnet_launch, since another package is called launch.
    packages=[
        *setuptools.find_packages(include=["keras_resnet", "keras_resnet.*"]),
        "keras_resnet_launch",
        "keras_resnet_launch.command_line",
    ],
    package_dir={"keras_resnet_launch": "launch"},
    package_data={
        "keras_resnet": ["py.typed", "imagenet_classes.txt", "weights/fashion_mnist/*"],
        "keras_resnet_launch": ["hidden.jpg", "scene.jpg", "star.jpg"],
    },
    entry_points={"console_scripts": ["keras-resnet=keras_resnet_launch.__main__:main"]},
    python_requires=">=3.11",
    install_requires=[
        "tensorflow>=2.19",
        # Older ones have published vulnerabilities in model loading.
        "keras>=3.15.1",
        "tensorflow-datasets>=4.9.10",
        "array-record",
        "google-crc32c",
        # Two that others need and do not bring: TFDS the first, tf.summary the second.
        "importlib_resources",
        "tensorboard",
        # The records of warm-up requests, and the stubs of TF Serving's gRPC service.
        "tensorflow-serving-api>=2.19",
        "grpcio",
        "requests",
        "urllib3>=2.2",
        "absl-py",
        "matplotlib",
        # From 11.3 on it reads AVIF.
        "pillow>=11.3",
        "safetensors",
        "h5py",
        "tqdm",
        "pyyaml",
    ],
    extras_require={
        "and-cuda": ["tensorflow[and-cuda]>=2.19"],
        "coco": COCO,
        "parquet": PARQUET,
        # Not among those of tests: beside it protobuf and Pillow are of an earlier major version.
        "beam": ["apache-beam>=2.70", *PARQUET],
        "test": TEST,
        "dev": [
            *TEST,
            *("ruff>=0.15", "mypy>=1.18", "types-PyYAML", "types-requests", "types-tqdm", "build"),
        ],
    },
)
