"""strongroom: the AWS Secrets Manager you run yourself."""

__version__ = "0.1.0"
