"""Limits that the settings, the Lambda functions and the runner must agree on."""

from __future__ import annotations

DAY_SECONDS = 86_400
MOST_LAMBDA_ATTEMPTS = 3
"""One attempt and two retries: `MaximumRetryAttempts` in Lambda's API."""
MOST_CONCURRENT_RUNS = 1000
"""One item of the ledger names all tasks of a function, and each start and end writes it."""
LONGEST_RUN_SECONDS = 14 * DAY_SECONDS
"""Fargate stops the tasks of a retired platform revision after at most 14 days, so no longer run can be promised."""
LONGEST_MESSAGE_LIFE_SECONDS = 14 * DAY_SECONDS
"""SQS's longest retention: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
LONGEST_LIFE_DAYS = (LONGEST_MESSAGE_LIFE_SECONDS + LONGEST_RUN_SECONDS) // DAY_SECONDS
"""A failure record waits in its queue, and then its task runs."""
