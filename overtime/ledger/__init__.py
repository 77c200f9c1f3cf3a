"""The run ledger: for each run, one item in DynamoDB and objects in S3 for the event and each attempt's result.

`requests`, `wait_requests` and the contract's `task_requests` define every write with its condition; `reads` defines
the reads. `store` sends them with boto3, the runner without. `run` and `answers` define what they return. `slots` and
`looks` store one item per function.
"""
