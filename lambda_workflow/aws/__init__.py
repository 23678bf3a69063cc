"""The AWS host: SQS FIFO, DynamoDB, EventBridge Scheduler and S3; the only room that knows them."""
