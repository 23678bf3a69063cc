"""The service `email`, against SES on the moto server, and against one that answers as told."""
