"""The run ledger: one item in DynamoDB and two objects in S3 for each invocation that was handed over.

`model` names things. `requests` and `task_requests` hold every write and its condition, `reads` the reads. `store`
sends them with boto3, the runner without. `run` and `answers` are what comes back. `slots` and `looks` have
an item for each function.
"""
