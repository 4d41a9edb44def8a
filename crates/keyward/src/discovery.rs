//! What an issuer publishes about itself (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::fetch::{FetchError, Fetcher, shown};

/// An issuer's discovery document, as far as Keyward reads it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// `issuer`: the one that was asked for, to the letter.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Option<Url>,
    /// Where it issues tokens; none where it names no address that may be used, which costs the keys nothing.
    #[serde(default, deserialize_with = "url_or_none")]
    pub token_endpoint: Option<Url>,
    /// Where it says what tokens are worth (RFC 7662); none as before.
    #[serde(default, deserialize_with = "url_or_none")]
    pub introspection_endpoint: Option<Url>,
}

/// The issuer's metadata: from OpenID Connect's document, or where there is none from OAuth's.
///
/// # Errors
/// [`FetchError`]; an issuer that is reached by https must name https addresses.
pub async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Metadata, FetchError> {
    let (_, metadata) = find(fetcher, issuer).await?;
    Ok(metadata)
}

/// The address of the issuer's metadata, and the `jwks_uri` that they name.
pub(crate) async fn jwks_uri(fetcher: &Fetcher, issuer: &str) -> Result<(Url, Url), FetchError> {
    let (url, metadata) = find(fetcher, issuer).await?;
    match metadata.jwks_uri {
        Some(jwks_uri) => Ok((url, jwks_uri)),
        None => Err(FetchError::DiscoveryMalformed { url: shown(&url) }),
    }
}

/// The issuer's metadata, and their address.
pub(crate) async fn find(fetcher: &Fetcher, issuer: &str) -> Result<(Url, Metadata), FetchError> {
    let [openid, oauth] = addresses(issuer);
    match read(fetcher, issuer, &openid).await {
        Err(FetchError::Status { status: StatusCode::NOT_FOUND, .. }) => read(fetcher, issuer, &oauth).await,
        found => found,
    }
}

async fn read(fetcher: &Fetcher, issuer: &str, address: &str) -> Result<(Url, Metadata), FetchError> {
    let Ok(url) = Url::parse(address) else {
        // `IssuerSettings` has refused an issuer that is no URL before it came here.
        return Err(FetchError::File {
            path: address.to_owned(),
            cause: std::io::ErrorKind::InvalidInput.into(),
        });
    };
    let document = fetcher.get(&url).await?;
    // What serde derives takes an array of the members' values for an object as well.
    let is_object = document.body.trim_ascii_start().starts_with(b"{");
    let metadata = serde_json::from_slice::<Metadata>(&document.body);
    let Some(mut metadata) = metadata.ok().filter(|_| is_object) else {
        return Err(FetchError::DiscoveryMalformed { url: shown(&url) });
    };
    if metadata.issuer != issuer {
        return Err(FetchError::IssuerMismatch {
            url: shown(&url),
            expected: issuer.to_owned(),
            found: metadata.issuer.chars().take(200).collect(),
        });
    }
    // A remote issuer has nothing to point to on this machine.
    let insecure = |named: &Url| url.scheme() == "https" && named.scheme() != "https";
    if let Some(named) = metadata.jwks_uri.as_ref().filter(|named| insecure(named)) {
        return Err(FetchError::InsecureAddress { url: shown(named) });
    }
    metadata.token_endpoint.take_if(|named| insecure(named));
    metadata.introspection_endpoint.take_if(|named| insecure(named));
    Ok((url, metadata))
}

fn url_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| Url::parse(text).ok()))
}

/// Where an issuer's metadata are, in the order in which they are asked for: OpenID Connect appends the well-known path to the
/// issuer (Discovery §4.1); OAuth puts it between host and path (RFC 8414 §3.1).
pub fn addresses(issuer: &str) -> [String; 2] {
    let openid = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let authority = issuer.find("://").map_or(0, |colon| colon + 3);
    let path = issuer
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(issuer.len(), |slash| authority + slash);
    let (origin, path) = issuer.split_at(path);
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{}", path.trim_end_matches('/'));
    [openid, oauth]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_documents_are_where_their_specifications_put_them() {
        assert_eq!(
            addresses("https://idp.example/realms/a"),
            [
                "https://idp.example/realms/a/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server/realms/a",
            ]
        );
        assert_eq!(
            addresses("https://idp.example/"),
            [
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ]
        );
        assert_eq!(
            addresses("https://idp.example"),
            [
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ]
        );
    }
}
