"""The IAM policy language: parse documents, evaluate requests against policies, find what is unsafe. Pure."""
