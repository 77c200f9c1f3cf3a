"""The run ledger: one item in DynamoDB and two objects in S3 for each invocation that was handed over.

`model` names things, `requests` holds every write and its condition, `store` sends them with boto3.
"""
