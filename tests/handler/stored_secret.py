"""The secret that the tests of credentials begin with, and a refusal of Secrets Manager."""

from botocore.exceptions import ClientError

SECRET_ID = "composio"
API_KEY = "ak_invented-key"
WEBHOOK_SECRET = "whsec_invented-secret"
DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "GetSecretValue"
)
