# A Django site on loopback that is an authorization server by django-oauth-toolkit: opaque tokens, revocation, and
# introspection for whoever shows a bearer of scope `introspection`.
#
#   python3 django_oauth_toolkit.py PORT DATABASE
#
#   POST /control/drop-bearers    deletes what the client `gateway-bearer` has obtained

import sys

import django
from django.conf import settings

port, database = sys.argv[1:]
settings.configure(
    ALLOWED_HOSTS=['127.0.0.1'],
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': database}},
    DEFAULT_AUTO_FIELD='django.db.models.BigAutoField',
    INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'oauth2_provider'],
    MIDDLEWARE=[],
    OAUTH2_PROVIDER={
        # Handed on to oauthlib, which takes a function as well.
        'ACCESS_TOKEN_EXPIRE_SECONDS': lambda request: 2 if 'brief' in request.scopes else 3600,
        'SCOPES': {'read': 'read', 'brief': 'live for two seconds', 'introspection': 'ask about tokens'},
    },
    # Client secrets are hashed as passwords are, and the default takes a third of a second for that.
    PASSWORD_HASHERS=['django.contrib.auth.hashers.MD5PasswordHasher'],
    ROOT_URLCONF=__name__,
    SECRET_KEY='interop',
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import AccessToken  # noqa: E402
from oauth2_provider.urls import metadata_urlpatterns  # noqa: E402


def drop_bearers(request):
    dropped, _ = AccessToken.objects.filter(application__client_id='gateway-bearer').delete()
    return JsonResponse({'dropped': dropped})


urlpatterns = [
    path('control/drop-bearers', drop_bearers),
    path('o/', include('oauth2_provider.urls')),
    *metadata_urlpatterns,
]

if __name__ == '__main__':
    call_command('migrate', verbosity=0)
    for client in ['gateway', 'gateway-bearer', 'interop', 'stranger']:
        call_command(
            'createapplication',
            'confidential',
            'client-credentials',
            client_id=client,
            client_secret='interop-secret',
            name=client,
        )
    call_command('runserver', f'127.0.0.1:{port}', use_reloader=False)
