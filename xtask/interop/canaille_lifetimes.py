# How long canaille's tokens live, in seconds; its OAUTH2_TOKEN_EXPIRES_IN names this.


def lifetime(client, grant_type):
    return 2 if client.client_id == 'brief' else 3600
